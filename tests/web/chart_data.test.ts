// SPDX-License-Identifier: Apache-2.0
import {
  drawnColumns,
  largestAt,
  stackBands,
  summarize,
  toChartData,
} from "../../src/web/app/parts/chart_data";

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
  expect(drawnColumns(series, true).columns).toEqual([
    [1, null, 3],
    [11, 20, null],
  ]);
  expect(drawnColumns(series, false).columns).toEqual([
    [1, null, 3],
    [10, 20, null],
  ]);
});

test("what is drawn below zero stacks downwards; percent stacks fill a hundred", () => {
  const negated = [
    { name: "in", labels: {}, values: [1], look: { stack: "normal" as const } },
    { name: "out", labels: {}, values: [2], look: { stack: "normal" as const, negate: true } },
    { name: "out2", labels: {}, values: [3], look: { stack: "normal" as const, negate: true } },
  ];
  expect(drawnColumns(negated, false).columns).toEqual([[1], [-2], [-5]]);
  const shares = [
    { name: "a", labels: {}, values: [1, 0], look: { stack: "percent" as const } },
    { name: "b", labels: {}, values: [3, 0], look: { stack: "percent" as const } },
  ];
  expect(drawnColumns(shares, false).columns).toEqual([
    [25, 0],
    [100, 0],
  ]);
});

test("a summary leaves gaps out", () => {
  expect(summarize([1, null, 3])).toEqual({ last: 3, min: 1, max: 3, mean: 2, sum: 4 });
  expect(summarize([null])).toBeUndefined();
});

test("samples that no axis has a place for are counted", () => {
  const metric = { __name__: "odd" };
  const values: [number, string][] = [
    [100, "NaN"],
    [110, "-Inf"],
    [120, "1"],
  ];
  expect(toChartData([{ metric, values }], range, "").notFinite).toBe(2);
});

test("a tooltip lists the largest series, and the one pointed at whatever its size", () => {
  const series = [5, 9, null, 1, 7].map((value, at) => ({
    name: String(at),
    labels: {},
    values: [value],
  }));
  const shown = [0, 1, 2, 3, 4];
  const order = (focused: number | null) =>
    largestAt(series, shown, 0, focused, 2).rows.map((row) => row.series);
  expect(order(null)).toEqual([1, 4]);
  expect(order(3)).toEqual([1, 3]);
  expect(largestAt(series, shown, 0, null, 2).more).toBe(2);
  expect(largestAt(series, [2], 0, null, 2)).toEqual({ rows: [], more: 0 });
});

test("a stack is filled between each series and the one it stands on", () => {
  const up = { name: "up", labels: {}, values: [1] };
  const down = { name: "down", labels: {}, values: [1], look: { negate: true } };
  expect(stackBands([up, down, up, down, up], [true, true, true, true, true])).toEqual([
    [2, 0],
    [3, 1],
    [4, 2],
  ]);
  expect(stackBands([up, up, up], [true, false, true])).toEqual([[2, 0]]);
});
