// SPDX-License-Identifier: Apache-2.0
// The syntax tree that api/v1/parse_query answers, back as PromQL: whole, and as one line of a tree.
import { labelName, quote } from "../lib/labels";
import { formatDuration } from "../lib/time";

interface Anchored {
  offset: number; // ms
  timestamp: number | null; // ms
  startOrEnd: "start" | "end" | null;
}
export interface TreeMatcher {
  name: string;
  type: "=" | "!=" | "=~" | "!~";
  value: string;
}
interface SelectorParts extends Anchored {
  name: string;
  matchers: TreeMatcher[];
  anchored?: boolean;
  smoothed?: boolean;
}
export interface Matching {
  card: "one-to-one" | "many-to-one" | "one-to-many" | "many-to-many";
  labels: string[];
  on: boolean;
  include: string[];
  fillValues?: { lhs: number | null; rhs: number | null };
}
export type Tree =
  | { type: "numberLiteral"; val: string }
  | { type: "stringLiteral"; val: string }
  | ({ type: "vectorSelector" } & SelectorParts)
  | ({ type: "matrixSelector"; range: number } & SelectorParts)
  | ({ type: "subquery"; expr: Tree; range: number; step: number } & Anchored)
  | {
      type: "call";
      func: { name: string; argTypes: string[]; returnType: string; variadic: number };
      args: Tree[];
    }
  | {
      type: "aggregation";
      op: string;
      expr: Tree;
      param: Tree | null;
      grouping: string[];
      without: boolean;
    }
  | {
      type: "binaryExpr";
      op: string;
      lhs: Tree;
      rhs: Tree;
      matching: Matching | null;
      bool: boolean;
    }
  | { type: "unaryExpr"; op: string; expr: Tree }
  | { type: "parenExpr"; expr: Tree };
export type BinaryTree = Extract<Tree, { type: "binaryExpr" }>;

const setOperators = new Set(["and", "or", "unless"]);

export function childrenOf(tree: Tree): Tree[] {
  switch (tree.type) {
    case "call":
      return tree.args;
    case "aggregation":
      return tree.param ? [tree.param, tree.expr] : [tree.expr];
    case "binaryExpr":
      return [tree.lhs, tree.rhs];
    case "subquery":
    case "unaryExpr":
    case "parenExpr":
      return [tree.expr];
    default:
      return [];
  }
}

// Its result is a range of samples for each series, which no query answers by itself over a range.
export function isRange(tree: Tree): boolean {
  if (tree.type === "parenExpr") return isRange(tree.expr);
  return tree.type === "matrixSelector" || tree.type === "subquery";
}

const duration = (ms: number) => formatDuration(ms);

function anchors(tree: Anchored): string {
  const at =
    tree.timestamp !== null
      ? ` @ ${(tree.timestamp / 1000).toFixed(3)}`
      : tree.startOrEnd
        ? ` @ ${tree.startOrEnd}()`
        : "";
  return at + (tree.offset !== 0 ? ` offset ${duration(tree.offset)}` : "");
}

const plainName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

function selector(tree: SelectorParts, range: string): string {
  const inside = tree.matchers
    .filter((m) => !(m.name === "__name__" && m.type === "=" && m.value === tree.name))
    .map((m) => `${labelName(m.name)}${m.type}${quote(m.value)}`);
  const named = plainName.test(tree.name);
  if (!named && tree.name !== "") inside.unshift(quote(tree.name));
  const name = named ? tree.name : "";
  const braces = inside.length > 0 || name === "" ? `{${inside.join(",")}}` : "";
  const extended = tree.anchored ? " anchored" : tree.smoothed ? " smoothed" : "";
  return name + braces + range + extended + anchors(tree);
}

export function matchingText(tree: BinaryTree): string {
  const { matching } = tree;
  let text = tree.bool ? " bool" : "";
  if (!matching) return text;
  const list = matching.labels.map(labelName).join(", ");
  if (matching.on || matching.labels.length > 0) {
    text += ` ${matching.on ? "on" : "ignoring"} (${list})`;
  }
  const include = matching.include.map(labelName).join(", ");
  if (matching.card === "many-to-one") text += ` group_left (${include})`;
  if (matching.card === "one-to-many") text += ` group_right (${include})`;
  const { lhs = null, rhs = null } = matching.fillValues ?? {};
  if (lhs !== null && lhs === rhs) return `${text} fill (${lhs})`;
  if (lhs !== null) text += ` fill_left (${lhs})`;
  if (rhs !== null) text += ` fill_right (${rhs})`;
  return text;
}

function grouping(tree: Extract<Tree, { type: "aggregation" }>): string {
  if (!tree.without && tree.grouping.length === 0) return "";
  return ` ${tree.without ? "without" : "by"} (${tree.grouping.map(labelName).join(", ")})`;
}

// The expression; with `show` what stands for the parts, by default they themselves.
export function promql(tree: Tree, show: (part: Tree) => string = (part) => promql(part)): string {
  switch (tree.type) {
    case "numberLiteral":
      return tree.val;
    case "stringLiteral":
      return quote(tree.val);
    case "vectorSelector":
      return selector(tree, "");
    case "matrixSelector":
      return selector(tree, `[${duration(tree.range)}]`);
    case "subquery": {
      const step = tree.step > 0 ? duration(tree.step) : "";
      return `${show(tree.expr)}[${duration(tree.range)}:${step}]${anchors(tree)}`;
    }
    case "call":
      return `${tree.func.name}(${tree.args.map(show).join(", ")})`;
    case "aggregation": {
      const inside = tree.param ? [tree.param, tree.expr] : [tree.expr];
      return `${tree.op}${grouping(tree)} (${inside.map(show).join(", ")})`;
    }
    case "binaryExpr":
      return `${show(tree.lhs)} ${tree.op}${matchingText(tree)} ${show(tree.rhs)}`;
    case "unaryExpr":
      return `${tree.op}${show(tree.expr)}`;
    case "parenExpr":
      return `(${show(tree.expr)})`;
  }
}

// A line of a tree: parts that have lines of their own are dots.
export function headline(tree: Tree): string {
  return promql(tree, (part) => (isLiteral(part) ? promql(part) : "…"));
}

export function isLiteral(tree: Tree): boolean {
  return tree.type === "numberLiteral" || tree.type === "stringLiteral";
}

// What a node does, for those who read the query for the first time.
export function explanation(tree: Tree): string[] {
  switch (tree.type) {
    case "vectorSelector":
    case "matrixSelector": {
      const texts = {
        "=": "is",
        "!=": "is not",
        "=~": "matches the regular expression",
        "!~": "does not match the regular expression",
      };
      const lines = tree.matchers.map(
        (m) =>
          `${m.name} ${texts[m.type]} ${quote(m.value)}${m.value === "" ? " (is absent)" : ""}`,
      );
      lines.push(
        tree.type === "matrixSelector"
          ? `All samples of the last ${duration(tree.range)} of each series`
          : "The newest sample of each series, unless it is older than the lookback (five minutes)",
      );
      return [...lines, ...anchorLines(tree)];
    }
    case "subquery":
      return [
        `Evaluates the inner expression over the last ${duration(tree.range)}, every ${tree.step > 0 ? duration(tree.step) : "evaluation interval"}`,
        ...anchorLines(tree),
      ];
    case "aggregation": {
      const labels = tree.grouping.join(", ");
      if (tree.without) return [`${tree.op} over ${labels || "nothing"}: all other labels stay`];
      return [
        labels ? `${tree.op} for each ${labels}: other labels go` : `${tree.op} of all series`,
      ];
    }
    case "call":
      return [
        `${tree.func.name} takes ${tree.func.argTypes.join(", ") || "nothing"} and gives ${tree.func.returnType}`,
      ];
    case "binaryExpr": {
      if (!tree.matching) return ["An operation with a number"];
      const by = tree.matching.on
        ? `the labels ${tree.matching.labels.join(", ") || "of neither side (all are one group)"}`
        : tree.matching.labels.length > 0
          ? `all labels but ${tree.matching.labels.join(", ")}`
          : "all labels";
      return [
        setOperators.has(tree.op)
          ? `Series of both sides are compared by ${by}`
          : `Series of both sides are paired by ${by}, ${tree.matching.card}`,
      ];
    }
    default:
      return [];
  }
}

function anchorLines(tree: Anchored): string[] {
  const lines: string[] = [];
  if (tree.timestamp !== null) lines.push(`At ${new Date(tree.timestamp).toISOString()}`);
  if (tree.startOrEnd) lines.push(`At the ${tree.startOrEnd} of the query's range`);
  if (tree.offset > 0) lines.push(`As it was ${duration(tree.offset)} before`);
  if (tree.offset < 0) lines.push(`As it was ${duration(-tree.offset)} later`);
  return lines;
}
