// SPDX-License-Identifier: Apache-2.0
import type { Cell, Frame } from "../../src/web/app/dashboard/frames";
import { heatOf } from "../../src/web/app/dashboard/heat";
import { withValue } from "../../src/web/app/dashboard/model";
import { transform } from "../../src/web/app/dashboard/transform";

const frame = (columns: Record<string, Cell[]>): Frame => ({
  query: "A",
  name: "A",
  columns: Object.entries(columns).map(([name, cells]) => ({
    name,
    kind: name === "Time" ? "time" : typeof cells[0] === "string" ? "text" : "number",
    labels: {},
    cells,
  })),
});
const table = (frames: Frame[]) =>
  Object.fromEntries((frames[0]?.columns ?? []).map((c) => [c.name, c.cells]));
const run = (kind: string, options: Record<string, unknown>, ...frames: Frame[]) =>
  table(transform(frames, [{ kind, options }]));

const disks = frame({ disk: ["a", "b", "c"], used: [1, 5, null], size: [10, 10, 10] });

test("merge puts frames of the same rows side by side", () => {
  const sizes = frame({ disk: ["a", "b"], size: [10, 20] });
  const used = frame({ disk: ["b", "c"], used: [5, 6] });
  expect(run("merge", {}, sizes, used)).toEqual({
    disk: ["a", "b", "c"],
    size: [10, 20, null],
    used: [null, 5, 6],
  });
});

test("merge loses no row: what says less stands beside each that it fits", () => {
  const fine = frame({ host: ["a", "a", "b"], disk: ["x", "y", "x"], used: [1, 2, 3] });
  const coarse = frame({ host: ["a", "c"], up: [1, 0] });
  const expected = {
    host: ["a", "a", "b", "c"],
    disk: ["x", "y", "x", null],
    used: [1, 2, 3, null],
    up: [1, 1, null, 0],
  };
  expect(run("merge", {}, fine, coarse)).toEqual(expected);
  expect(run("merge", {}, coarse, fine)).toEqual(expected);
});

test("merge keeps rows apart that have only the time in common", () => {
  const pods = frame({ Time: [1, 1], pod: ["a", "b"], used: [1, 2] });
  const nodes = frame({ Time: [1, 1], node: ["x", "y"], free: [3, 4] });
  expect(run("merge", {}, pods, nodes)).toEqual({
    Time: [1, 1, 1, 1],
    pod: ["a", "b", null, null],
    used: [1, 2, null, null],
    node: [null, null, "x", "y"],
    free: [null, null, 3, 4],
  });
  const total = frame({ Time: [1], all: [9] });
  expect(run("merge", {}, pods, total).all).toEqual([9, 9]);
});

test("merge makes a further row where a value would take the place of another", () => {
  const before = frame({ host: ["a", "b"], used: [1, 2] });
  const now = frame({ host: ["a", "b"], used: [1, 5] });
  expect(run("merge", {}, before, now)).toEqual({ host: ["a", "b", "b"], used: [1, 2, 5] });
  const twice = frame({ host: ["a", "a"], used: [1, 1] });
  expect(run("merge", {}, twice, frame({ host: ["b"], up: [1] })).used).toEqual([1, 1, null]);
});

test("a cell's value is put into a link as it is", () => {
  expect(withValue("d/?v=$" + "{__value.raw}", "a$&b$'c")).toBe("d/?v=a$&b$'c");
});

test("organize hides, renames and orders", () => {
  const options = {
    excludeByName: { size: true },
    renameByName: { used: "In use" },
    indexByName: { used: 0, disk: 1 },
  };
  const made = transform([disks], [{ kind: "organize", options }]);
  expect(made[0]?.columns.map((c) => c.name)).toEqual(["In use", "disk"]);
});

test("a column is calculated from two others, or from a number", () => {
  const binary = { left: "used", operator: "/", right: "size" };
  expect(run("calculateField", { mode: "binary", alias: "share", binary }, disks).share).toEqual([
    0.1,
    0.5,
    null,
  ]);
  const by = { left: { matcher: { options: "used" } }, operator: "*", right: { fixed: "2" } };
  expect(run("calculateField", { mode: "binary", alias: "x", binary: by }, disks).x).toEqual([
    2,
    10,
    null,
  ]);
  expect(run("calculateField", { alias: "all", reduce: { reducer: "sum" } }, disks).all).toEqual([
    11, 15, 10,
  ]);
});

test("rows are kept or dropped by value", () => {
  const filters = [{ fieldName: "used", config: { id: "greater", options: { value: 2 } } }];
  expect(run("filterByValue", { filters, type: "include" }, disks).disk).toEqual(["b"]);
  expect(run("filterByValue", { filters, type: "exclude" }, disks).disk).toEqual(["a", "c"]);
  const regex = [{ fieldName: "disk", config: { id: "regex", options: { value: "[ab" } } }];
  expect(run("filterByValue", { filters: regex, type: "include" }, disks).disk).toEqual([]);
});

test("columns are renamed by a pattern, and change their kind", () => {
  const options = { regex: "(.*)ed$", renamePattern: "$1age" };
  expect(Object.keys(run("renameByRegex", options, disks))).toEqual(["disk", "usage", "size"]);
  const conversions = [{ targetField: "n", destinationType: "number" }];
  expect(run("convertFieldType", { conversions }, frame({ n: ["1", "x"] })).n).toEqual([1, null]);
});

test("a heatmap takes classic buckets apart and native ones as they are", () => {
  const query = { id: "A", expression: "m", legend: "", instant: false, hidden: false };
  const range = { startS: 10, endS: 20, stepS: 10 };
  const heat = (result: never[]) =>
    heatOf({ results: [{ query, data: { resultType: "matrix", result } }], range, warnings: [] });
  const classic = heat([
    { metric: { le: "1" }, values: [[10, "2"]] },
    { metric: { le: "+Inf" }, values: [[10, "5"]] },
  ] as never[]);
  expect(classic.columns[0]).toEqual([
    { low: 0, high: 1, count: 2 },
    { low: 1, high: Number.POSITIVE_INFINITY, count: 3 },
  ]);
  const native = heat([
    {
      metric: {},
      histograms: [
        [
          20,
          {
            count: "3",
            sum: "1",
            buckets: [
              [0, "0.5", "1", "2"],
              [1, "-1", "0.5", "1"],
            ],
          },
        ],
      ],
    },
  ] as never[]);
  expect(native.columns[1]).toEqual([
    { low: 0.5, high: 1, count: 2 },
    { low: -1, high: 0.5, count: 1 },
  ]);
  expect(native).toMatchObject({ max: 2, low: -1, high: 1 });
});
