// SPDX-License-Identifier: Apache-2.0
// Label filters that hold for a whole dashboard (Grafana's ad-hoc filters): matchers that are added
// to every selector of every query. In the URL one is "label|op|value".
import type { LabelSet } from "../lib/api";
import { quote } from "../lib/labels";

export const operators = ["=", "!=", "=~", "!~"] as const;
export type Operator = (typeof operators)[number];
export interface LabelFilter {
  label: string;
  op: Operator;
  value: string;
}

const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

// A "|" in a value is "__gfp__", as Grafana writes it.
export function encodeFilter(filter: LabelFilter): string {
  return [filter.label, filter.op, filter.value].map((p) => p.replaceAll("|", "__gfp__")).join("|");
}
export function decodeFilter(text: string): LabelFilter | undefined {
  const [label, op, value] = text.split("|").map((p) => p.replaceAll("__gfp__", "|"));
  const known = operators.find((o) => o === op);
  return label && labelName.test(label) && known && value !== undefined
    ? { label, op: known, value }
    : undefined;
}

export const matcherText = (filters: LabelFilter[]) =>
  filters.map((f) => `${f.label}${f.op}${quote(f.value)}`).join(", ");

// 'severity="critical", team=~"a|b"' as filters; what is none is left out.
export function readFilters(text: string): LabelFilter[] {
  const found: LabelFilter[] = [];
  for (const m of text.matchAll(/([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g)) {
    const op = operators.find((o) => o === m[2]);
    if (op) found.push({ label: m[1] ?? "", op, value: (m[3] ?? "").replace(/\\(.)/g, "$1") });
  }
  return found;
}

export function matchesLabels(filters: LabelFilter[], labels: LabelSet): boolean {
  return filters.every(({ label, op, value }) => {
    const have = labels[label] ?? "";
    if (op === "=") return have === value;
    if (op === "!=") return have !== value;
    try {
      return new RegExp(`^(?:${value})$`).test(have) === (op === "=~");
    } catch {
      return false;
    }
  });
}

const keywords = new Set([
  "and",
  "or",
  "unless",
  "atan2",
  "offset",
  "bool",
  "start",
  "end",
  "inf",
  "nan",
]);
const groupings = new Set(["by", "without", "on", "ignoring", "group_left", "group_right"]);

// Adds the filters to every selector. A walk over the tokens: strings, numbers, durations, function
// names and label lists stay as they are; a name that is none of these is a metric.
export function addFilters(expression: string, filters: LabelFilter[]): string {
  if (filters.length === 0) return expression;
  const more = matcherText(filters);
  const token =
    /#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\[[^\]]*\]|\d[\w.]*(?:[eE][+-]?\d+)?|[a-zA-Z_:][\w:.]*|\s+|[\s\S]/g;
  const tokens = expression.match(token) ?? [];
  const nextOf = (at: number) => {
    let next = at + 1;
    while (next < tokens.length && /^(\s|#)/.test(tokens[next] ?? "")) ++next;
    return next;
  };
  let out = "";
  for (let at = 0; at < tokens.length; ++at) {
    const text = tokens[at] ?? "";
    if (text === "{") {
      // The selector's own matchers, up to its bracket.
      const from = out.length;
      let empty = true;
      let comma = false;
      for (++at; at < tokens.length && tokens[at] !== "}"; ++at) {
        const inner = tokens[at] ?? "";
        if (!/^(\s|#)/.test(inner)) {
          empty = false;
          comma = inner === ",";
        }
        out += inner;
      }
      const inside = out.slice(from).trimEnd();
      out = `${out.slice(0, from)}{${inside}${empty ? "" : comma ? " " : ", "}${more}}`;
      continue;
    }
    if (!/^[a-zA-Z_:]/.test(text)) {
      out += text;
      continue;
    }
    const name = text.toLowerCase();
    const next = nextOf(at);
    if (groupings.has(name) && tokens[next] === "(") {
      // A list of labels.
      for (; at < tokens.length && tokens[at] !== ")"; ++at) out += tokens[at];
      out += tokens[at] ?? "";
      continue;
    }
    const isMetric =
      tokens[next] !== "(" &&
      tokens[next] !== "{" &&
      !keywords.has(name) &&
      !groupings.has(name) &&
      !(groupings.has(tokens[next]?.toLowerCase() ?? "") && aggregations.has(name));
    out += isMetric ? `${text}{${more}}` : text;
  }
  return out;
}

// sum by (job) (x): an aggregation without a bracket of its own at once.
const aggregations = new Set([
  "sum",
  "min",
  "max",
  "avg",
  "group",
  "stddev",
  "stdvar",
  "count",
  "count_values",
  "bottomk",
  "topk",
  "quantile",
  "limitk",
  "limit_ratio",
]);
