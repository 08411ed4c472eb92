// SPDX-License-Identifier: Apache-2.0
import { differingLabels, legendText, seriesName, shortNames } from "../../src/web/app/lib/labels";

test("names are selectors, quoted where they must be", () => {
  expect(seriesName({ __name__: "up", job: "x" })).toBe('up{job="x"}');
  expect(seriesName({ __name__: "up" })).toBe("up");
  expect(seriesName({ job: 'a"b\\c\n' })).toBe('{job="a\\"b\\\\c\\n"}');
  expect(seriesName({ __name__: "http.requests", "a-b": "1" })).toBe(
    '{"http.requests", "a-b"="1"}',
  );
  expect(seriesName({})).toBe("{}");
});

test("legends take labels, and what is hostile stays text", () => {
  expect(legendText("{{job}} on {{ instance }}", { job: "<script>", instance: "h:1" })).toBe(
    "<script> on h:1",
  );
  expect(legendText("{{missing}}", { a: "1" })).toBe('{a="1"}'); // never without a name
  expect(legendText("", { __name__: "up" })).toBe("up");
});

test("differing labels tell series apart", () => {
  expect(
    differingLabels([
      { __name__: "up", job: "a", x: "1" },
      { __name__: "up", job: "b", x: "1" },
    ]),
  ).toEqual(["job"]);
  expect(differingLabels([])).toEqual([]);
});

test("short names keep what differs, and names that somebody chose", () => {
  const a = { __name__: "cpu", mode: "user", job: "x" };
  const b = { __name__: "cpu", mode: "idle", job: "x" };
  const series = [a, b].map((labels) => ({ name: seriesName(labels), labels }));
  expect(shortNames(series)).toEqual(['{mode="user"}', '{mode="idle"}']);
  expect(shortNames([{ name: "mine", labels: a }, ...series.slice(1)])[0]).toBe("mine");
  expect(shortNames(series.slice(0, 1))).toEqual([seriesName(a)]);
});
