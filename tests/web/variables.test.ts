// SPDX-License-Identifier: Apache-2.0
import { allValues, type Variable } from "../../src/web/app/dashboard/model";
import {
  applyRegex,
  customOptions,
  inOrder,
  interpolate,
  type VariableState,
} from "../../src/web/app/dashboard/variables";

const variable = (name: string, more: Partial<Variable> = {}): Variable => ({
  name,
  label: "",
  kind: "query",
  query: "",
  regex: "",
  sort: 0,
  multi: false,
  includeAll: false,
  allValue: "",
  hidden: false,
  chosen: [],
  ...more,
});
const state = (v: Variable, chosen: string[], options = chosen): [string, VariableState] => [
  v.name,
  { variable: v, chosen, options: options.map((value) => ({ text: value, value })) },
];
const builtIns = { fromMs: 0, toMs: 3_600_000, stepS: 30, scrapeIntervalS: 15 };
const put = (text: string, ...states: [string, VariableState][]) =>
  interpolate(text, new Map(states), builtIns);

test("a single value stands as it is, several are alternatives of a regex", () => {
  const one = variable("a");
  const many = variable("m", { multi: true });
  expect(put('x{j="$a"}', state(one, ['v"1\\']))).toBe('x{j="v\\"1\\\\"}');
  expect(put('x{j=~"$m"}', state(many, ["a.b", "c"]))).toBe('x{j=~"(a\\\\.b|c)"}');
  expect(put("$m", state(many, ["a.b"]))).toBe("a\\\\.b");
});

test("all is the variable's own text for it, or every value", () => {
  const own = variable("a", { multi: true, includeAll: true, allValue: ".*" });
  const listed = variable("b", { multi: true, includeAll: true });
  expect(put("$a", state(own, [allValues], ["x"]))).toBe(".*");
  expect(put("$b", state(listed, [allValues], ["x", "y"]))).toBe("(x|y)");
  // The options hold what all stands for.
  const all: [string, VariableState] = [
    "b",
    { variable: listed, chosen: [allValues], options: customOptions("x,y") },
  ];
  expect(put("$b", all)).toBe("(x|y)");
});

test("formats are Grafana's", () => {
  const many = state(variable("m", { multi: true }), ["a", "b"]);
  const name = (format: string) => `$${"{"}m:${format}}`;
  expect(put(name("csv"), many)).toBe("a,b");
  expect(put(name("pipe"), many)).toBe("a|b");
  expect(put(name("regex"), many)).toBe("(a|b)");
  expect(put(name("json"), many)).toBe('["a","b"]');
  expect(put(name("glob"), many)).toBe("{a,b}");
  expect(put("[[m:csv]]", many)).toBe("a,b");
});

test("built-in ones follow range and step", () => {
  expect(put("rate(x[$__rate_interval])")).toBe("rate(x[1m])");
  expect(put("$__interval $__range $__range_s")).toBe("30s 3600s 3600");
});

test("unknown names stay, so that the error shows them", () => {
  expect(put("$nothing")).toBe("$nothing");
});

test("variables come after those they need, also in a circle", () => {
  const a = variable("a", { query: "label_values(up{b='$b'}, x)" });
  const b = variable("b", { query: "label_values(up, y)" });
  expect(inOrder([a, b]).map((v) => v.name)).toEqual(["b", "a"]);
  const circle = [variable("x", { query: "$y" }), variable("y", { query: "$x" })];
  expect(inOrder(circle)).toHaveLength(2);
});

test("a regex picks part of the values", () => {
  expect(applyRegex(["a:1", "b:2", "c"], "/(.*):/")).toEqual([
    { text: "a", value: "a" },
    { text: "b", value: "b" },
  ]);
  expect(applyRegex(["a"], "(")).toEqual([{ text: "a", value: "a" }]);
  expect(customOptions("one : 1, two\\,half , three")).toEqual([
    { text: "one", value: "1" },
    { text: "two,half", value: "two,half" },
    { text: "three", value: "three" },
  ]);
});
