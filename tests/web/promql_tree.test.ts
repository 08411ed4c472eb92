// SPDX-License-Identifier: Apache-2.0
import {
  childrenOf,
  explanation,
  headline,
  isRange,
  promql,
  type Tree,
} from "../../src/web/app/explore/promql_tree";

const plain = { offset: 0, timestamp: null, startOrEnd: null };
const named = (name: string) => ({ name: "__name__", type: "=" as const, value: name });
const up: Tree = { type: "vectorSelector", name: "up", matchers: [named("up")], ...plain };
const range: Tree = {
  type: "matrixSelector",
  name: "hits",
  range: 300_000,
  matchers: [
    { name: "code", type: "=~", value: "5.." },
    { name: "x", type: "!=", value: 'a"b' },
    named("hits"),
  ],
  ...plain,
  offset: 60_000,
};
const rate: Tree = {
  type: "call",
  func: { name: "rate", argTypes: ["matrix"], returnType: "vector", variadic: 0 },
  args: [range],
};
const sum: Tree = {
  type: "aggregation",
  op: "sum",
  expr: rate,
  param: null,
  grouping: ["job"],
  without: false,
};

test("a tree becomes the expression it was parsed from", () => {
  expect(promql(sum)).toBe('sum by (job) (rate(hits{code=~"5..",x!="a\\"b"}[5m] offset 1m))');
  const ratio: Tree = {
    type: "binaryExpr",
    op: "/",
    bool: false,
    lhs: sum,
    rhs: { ...up, startOrEnd: "end" },
    matching: { card: "many-to-one", labels: ["job"], on: true, include: ["team"] },
  };
  expect(promql(ratio)).toBe(`${promql(sum)} / on (job) group_left (team) up @ end()`);
  const compared: Tree = {
    type: "binaryExpr",
    op: ">",
    bool: true,
    lhs: { type: "parenExpr", expr: ratio },
    rhs: { type: "numberLiteral", val: "0.5" },
    matching: null,
  };
  expect(promql(compared)).toBe(`(${promql(ratio)}) > bool 0.5`);
});

test("subqueries, signs, parameters and names beyond ASCII", () => {
  const subquery: Tree = {
    type: "subquery",
    expr: up,
    range: 600_000,
    step: 0,
    offset: -3_600_000,
    timestamp: 12_500,
    startOrEnd: null,
  };
  expect(promql(subquery)).toBe("up[10m:] @ 12.500 offset -1h");
  expect(promql({ type: "unaryExpr", op: "-", expr: up })).toBe("-up");
  const dotted: Tree = {
    type: "vectorSelector",
    name: "",
    matchers: [named("a.b"), { name: "c.d", type: "=", value: "e" }],
    ...plain,
  };
  expect(promql(dotted)).toBe('{__name__="a.b","c.d"="e"}');
  const counted: Tree = {
    type: "aggregation",
    op: "count_values",
    expr: up,
    param: { type: "stringLiteral", val: "v" },
    grouping: ["a"],
    without: true,
  };
  expect(promql(counted)).toBe('count_values without (a) ("v", up)');
});

test("a line of the tree shows its own part, and literals", () => {
  expect(headline(sum)).toBe("sum by (job) (…)");
  const top: Tree = {
    ...sum,
    op: "topk",
    param: { type: "numberLiteral", val: "3" },
    grouping: [],
  };
  expect(headline(top)).toBe("topk (3, …)");
  expect(childrenOf(top).length).toBe(2);
});

test("ranges are told from vectors", () => {
  expect([up, range, rate, sum].map(isRange)).toEqual([false, true, false, false]);
  expect(isRange({ type: "parenExpr", expr: range })).toBe(true);
});

test("an explanation says what a selector takes", () => {
  expect(explanation(range)).toEqual([
    'code matches the regular expression "5.."',
    'x is not "a\\"b"',
    '__name__ is "hits"',
    "All samples of the last 5m of each series",
    "As it was 1m before",
  ]);
});
