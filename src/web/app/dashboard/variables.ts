// SPDX-License-Identifier: Apache-2.0
// Variables: what $name, ${name:format} and [[name]] become, and where the values to choose from
// come from. The formats are Grafana's.
import { get, instantQuery } from "../lib/api";
import { seriesName } from "../lib/labels";
import { formatDuration } from "../lib/time";
import { addFilters, decodeFilter, type LabelFilter } from "./filters";
import { allValues, type Variable } from "./model";

// The values chosen; with ["$__all"] all of `options` are meant.
export interface VariableState {
  variable: Variable;
  options: { text: string; value: string }[];
  chosen: string[];
}
export type VariableStates = ReadonlyMap<string, VariableState>;

export interface BuiltIns {
  fromMs: number;
  toMs: number;
  stepS: number;
  scrapeIntervalS: number;
}

const regexEscape = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

export function valuesOf(state: VariableState): string[] {
  if (!state.chosen.includes(allValues)) return state.chosen;
  return state.options.map((option) => option.value);
}

// Within PromQL a single value stands as it is and several are alternatives of a regex; both are
// escaped as Grafana's Prometheus data source does.
function format(state: VariableState, kind: string, forQuery: boolean): string {
  const { variable, chosen } = state;
  if (chosen.includes(allValues) && !forQuery && (kind === "" || kind === "text")) return "All";
  if (chosen.includes(allValues) && variable.allValue !== "" && kind !== "json") {
    return variable.allValue;
  }
  const values = valuesOf(state);
  const texts = values.map(
    (value) => state.options.find((option) => option.value === value)?.text ?? value,
  );
  switch (kind) {
    case "raw":
      return values.join(",");
    case "csv":
      return values.join(",");
    case "pipe":
      return values.join("|");
    case "regex":
      return values.length === 1
        ? regexEscape(values[0] ?? "")
        : `(${values.map(regexEscape).join("|")})`;
    case "json":
      return JSON.stringify(values);
    case "text":
      return texts.join(" + ");
    case "queryparam":
      return values.map((v) => `var-${variable.name}=${encodeURIComponent(v)}`).join("&");
    case "percentencode":
      return encodeURIComponent(values.join(","));
    case "singlequote":
      return values.map((v) => `'${v.replace(/'/g, "\\'")}'`).join(",");
    case "doublequote":
      return values.map((v) => `"${v.replace(/"/g, '\\"')}"`).join(",");
    case "glob":
      return values.length === 1 ? (values[0] ?? "") : `{${values.join(",")}}`;
  }
  if (!forQuery) return texts.join(" + ");
  const escaped = values.map((v) => v.replace(/\\/g, "\\\\").replace(/"/g, '\\"'));
  if (!variable.multi && !variable.includeAll) return escaped[0] ?? "";
  const alternatives = values.map((v) => regexEscape(v).replace(/\\/g, "\\\\"));
  return alternatives.length === 1 ? (alternatives[0] ?? "") : `(${alternatives.join("|")})`;
}

function builtIn(name: string, b: BuiltIns): string | undefined {
  const rangeMs = b.toMs - b.fromMs;
  switch (name) {
    case "__interval":
      return formatDuration(b.stepS * 1000, 1);
    case "__interval_ms":
      return String(b.stepS * 1000);
    case "__rate_interval":
      // Long enough for two scrapes in every window, as Grafana defines it.
      return formatDuration(Math.max(b.stepS + b.scrapeIntervalS, 4 * b.scrapeIntervalS) * 1000, 1);
    case "__rate_interval_ms":
      return String(Math.max(b.stepS + b.scrapeIntervalS, 4 * b.scrapeIntervalS) * 1000);
    case "__range":
      return `${Math.round(rangeMs / 1000)}s`;
    case "__range_s":
      return String(Math.round(rangeMs / 1000));
    case "__range_ms":
      return String(rangeMs);
    case "__from":
      return String(b.fromMs);
    case "__to":
      return String(b.toMs);
  }
  return undefined;
}

const reference = /\$(\w+)|\$\{(\w+)(?:\.\w+)?(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]/g;

// Puts the values in; unknown names stay as they are, so that the error that follows shows them.
export function interpolate(
  text: string,
  states: VariableStates,
  builtIns: BuiltIns,
  forQuery = true,
): string {
  return text.replace(reference, (whole, plain, braced, kind1, bracketed, kind2) => {
    const name: string = plain ?? braced ?? bracketed;
    const known = builtIn(name, builtIns);
    if (known !== undefined) return known;
    const state = states.get(name);
    return state ? format(state, kind1 ?? kind2 ?? "", forQuery) : whole;
  });
}

export function filtersOf(states: VariableStates): LabelFilter[] {
  return [...states.values()]
    .filter((state) => state.variable.kind === "adhoc")
    .flatMap((state) => state.chosen.flatMap((text) => decodeFilter(text) ?? []));
}

// A panel's expression as it is asked: values put in, the dashboard's label filters added.
export function queryText(expression: string, states: VariableStates, builtIns: BuiltIns): string {
  return addFilters(interpolate(expression, states, builtIns), filtersOf(states));
}

// The names a text refers to.
export function references(text: string): string[] {
  return [...text.matchAll(reference)].map((m) => m[1] ?? m[2] ?? m[4] ?? "");
}

// Variables whose values others need come first; a circle keeps its order.
export function inOrder(variables: Variable[]): Variable[] {
  const done = new Set<string>();
  const order: Variable[] = [];
  const visit = (variable: Variable, path: string[]) => {
    if (done.has(variable.name) || path.includes(variable.name)) return;
    for (const name of references(variable.query)) {
      const other = variables.find((v) => v.name === name);
      if (other) visit(other, [...path, variable.name]);
    }
    done.add(variable.name);
    order.push(variable);
  };
  for (const variable of variables) visit(variable, []);
  return order;
}

function sorted(values: string[], sort: number): string[] {
  const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  const digits = (text: string) => Number(/-?\d+(\.\d+)?/.exec(text)?.[0] ?? Number.NaN);
  const byNumber = (a: string, b: string) => (digits(a) || 0) - (digits(b) || 0);
  const byFolded = (a: string, b: string) => byText(a.toLowerCase(), b.toLowerCase());
  const compare = [undefined, byText, byText, byNumber, byNumber, byFolded, byFolded][sort];
  if (!compare) return values;
  const ordered = [...values].sort(compare);
  return sort % 2 === 0 ? ordered.reverse() : ordered;
}

// "/pattern/flags": the first group, or the groups "text" and "value", of what matches.
export function applyRegex(values: string[], regex: string): { text: string; value: string }[] {
  const same = values.map((value) => ({ text: value, value }));
  if (regex === "") return same;
  const parts = /^\/(.*)\/(\w*)$/s.exec(regex);
  let pattern: RegExp;
  try {
    pattern = new RegExp(parts?.[1] ?? regex, (parts?.[2] ?? "").replace("g", ""));
  } catch {
    return same;
  }
  const seen = new Set<string>();
  return values.flatMap((whole) => {
    const match = pattern.exec(whole);
    if (!match) return [];
    const first = match[1] ?? match[0];
    const value = match.groups?.value ?? match.groups?.text ?? first;
    if (seen.has(value)) return [];
    seen.add(value);
    return [{ text: match.groups?.text ?? value, value }];
  });
}

// What a query variable asks the server.
async function ask(query: string, b: BuiltIns, signal: AbortSignal): Promise<string[]> {
  const within = { start: b.fromMs / 1000, end: b.toMs / 1000 };
  const values = /^\s*label_values\(\s*(?:([\s\S]+),\s*)?([\w.:]+)\s*\)\s*$/.exec(query);
  if (values) {
    const selector = values[1]?.trim();
    const path = `api/v1/label/${encodeURIComponent(values[2] ?? "")}/values`;
    const answer = await get<string[]>(
      path,
      selector ? { "match[]": selector, ...within } : within,
      signal,
    );
    return answer.data;
  }
  if (/^\s*label_names\(\s*\)\s*$/.test(query)) {
    return (await get<string[]>("api/v1/labels", within, signal)).data;
  }
  const metrics = /^\s*metrics\((.*)\)\s*$/.exec(query);
  if (metrics) {
    const names = (await get<string[]>("api/v1/label/__name__/values", within, signal)).data;
    const pattern = new RegExp(metrics[1] ?? "");
    return names.filter((name) => pattern.test(name));
  }
  const result = /^\s*query_result\(([\s\S]*)\)\s*$/.exec(query);
  const answer = await instantQuery(result?.[1] ?? query, b.toMs / 1000, signal);
  const { data } = answer;
  if (data.resultType !== "vector") return data.resultType === "matrix" ? [] : [data.result[1]];
  return data.result.map(
    (item) => `${seriesName(item.metric)} ${item.value?.[1] ?? ""} ${item.value?.[0] ?? ""}`,
  );
}

// "a, b : 1, c\,d" as values with texts.
export function customOptions(list: string): { text: string; value: string }[] {
  return list
    .split(/(?<!\\),/)
    .map((part) => part.trim().replace(/\\,/g, ","))
    .filter((part) => part !== "")
    .map((part) => {
      const pair = /^(.+?)\s+:\s+(.+)$/.exec(part);
      return pair ? { text: pair[1] ?? "", value: pair[2] ?? "" } : { text: part, value: part };
    });
}

// Finds the options of one variable, given those before it, and what of `wanted` can stay chosen.
export async function loadVariable(
  variable: Variable,
  wanted: string[] | undefined,
  before: VariableStates,
  builtIns: BuiltIns,
  signal: AbortSignal,
): Promise<VariableState> {
  const query = interpolate(variable.query, before, builtIns);
  let options: { text: string; value: string }[];
  switch (variable.kind) {
    case "query":
      options = applyRegex(
        sorted([...new Set(await ask(query, builtIns, signal))], variable.sort),
        variable.regex,
      );
      break;
    case "adhoc":
      return { variable, options: [], chosen: wanted ?? variable.chosen };
    case "text":
    case "constant":
      return { variable, options: [], chosen: wanted ?? [query] };
    default:
      options = customOptions(query);
  }
  const exists = (value: string) =>
    (value === allValues && variable.includeAll) || options.some((o) => o.value === value);
  const kept = (wanted ?? variable.chosen).filter(exists);
  const first = variable.includeAll ? allValues : options[0]?.value;
  const chosen = kept.length > 0 ? kept : first === undefined ? [] : [first];
  return { variable, options, chosen: variable.multi ? chosen : chosen.slice(0, 1) };
}
