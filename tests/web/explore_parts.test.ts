// SPDX-License-Identifier: Apache-2.0

import { toCsv } from "../../src/web/app/explore/csv";
import { exemplarPoints } from "../../src/web/app/explore/exemplars";
import { rankNames } from "../../src/web/app/explore/metric_search";
import type { QueryData } from "../../src/web/app/lib/api";

test("metrics by words in any place and order, the likeliest first; then letters, then help", () => {
  const names = ["http_requests_total", "requests", "node_cpu_seconds_total", "app_request_size"];
  const help = (name: string) => (name === "requests" ? "All that came over HTTP." : "");
  expect(rankNames(names, "", help)).toEqual(names);
  expect(rankNames(names, "requests", help)).toEqual([
    "requests",
    "http_requests_total",
    "app_request_size", // its letters, in order
  ]);
  expect(rankNames(names, "req http", help)).toEqual(["http_requests_total", "requests"]);
  expect(rankNames(names, "ncpu", help)).toEqual(["node_cpu_seconds_total"]);
  expect(rankNames(names, "xyz", help)).toEqual([]);
});

test("a result as CSV: labels are columns, formulas are harmless", () => {
  const data: QueryData = {
    resultType: "vector",
    result: [
      { metric: { a: 'x,"y"' }, value: [1, "-2"] },
      { metric: { b: "=HYPERLINK(1)" }, value: [1.5, "NaN"] },
    ],
  };
  expect(toCsv(data)).toBe(
    'time,a,b,value\n1970-01-01T00:00:01.000Z,"x,""y""",,-2\n1970-01-01T00:00:01.500Z,,\'=HYPERLINK(1),NaN\n',
  );
  expect(toCsv({ resultType: "scalar", result: [0, "1"] })).toBe(
    "time,value\n1970-01-01T00:00:00.000Z,1\n",
  );
});

test("exemplars are thinned to the largest, smallest and newest of a moment", () => {
  const exemplars = Array.from({ length: 100 }, (_, i) => ({
    labels: { trace_id: String(i) } as Record<string, string>,
    value: String((i * 37) % 100),
    timestamp: 10 + i / 1000,
  }));
  exemplars.push({ labels: {}, value: "NaN", timestamp: 10 });
  const { points, dropped } = exemplarPoints([{ seriesLabels: { job: "x" }, exemplars }], {
    startS: 0,
    endS: 1600,
  });
  expect(points.map((p) => p.value).sort((a, b) => a - b)).toEqual([0, 63, 99]);
  expect(dropped).toBe(97);
  expect(points.every((p) => p.series.job === "x")).toBe(true);
});
