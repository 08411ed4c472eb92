// SPDX-License-Identifier: Apache-2.0
import { stacked, summarize, toChartData } from "../../src/web/app/parts/chart_data";

const range = { startS: 100, endS: 130, stepS: 10 };

test("samples land on their step; gaps, NaN and Inf are gaps", () => {
  const data = toChartData(
    [
      {
        metric: { __name__: "up" },
        values: [
          [100, "1"],
          [110, "NaN"],
          [130, "+Inf"],
        ],
      },
    ],
    range,
    "",
  );
  expect(data.timesS).toEqual([100, 110, 120, 130]);
  expect(data.series[0]?.values).toEqual([1, null, null, null]);
});

test("more series than can be drawn are counted, not drawn", () => {
  const many = Array.from({ length: 10 }, (_, i) => ({ metric: { i: String(i) }, values: [] }));
  const data = toChartData(many, range, "", 4);
  expect(data.series).toHaveLength(4);
  expect(data.dropped).toBe(6);
});

test("stacking adds up and keeps gaps", () => {
  const series = [
    { name: "a", labels: {}, values: [1, null, 3] },
    { name: "b", labels: {}, values: [10, 20, null] },
  ];
  expect(stacked(series)).toEqual([
    [1, null, 3],
    [11, 20, null],
  ]);
});

test("a summary leaves gaps out", () => {
  expect(summarize([1, null, 3])).toEqual({ last: 3, min: 1, max: 3, mean: 2 });
  expect(summarize([null])).toBeUndefined();
});
