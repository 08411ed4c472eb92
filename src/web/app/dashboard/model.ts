// SPDX-License-Identifier: Apache-2.0
// What a dashboard is: the JSON that the server keeps. The grid has 24 columns and rows of 30
// pixels. read_dashboard() takes hostile JSON and gives a whole dashboard or says what is wrong.
import { parseDuration, type TimeRange } from "../lib/time";

export type PanelType =
  | "timeseries"
  | "bars"
  | "stat"
  | "gauge"
  | "bargauge"
  | "table"
  | "heatmap"
  | "pie"
  | "state-timeline"
  | "text"
  | "alert-list"
  | "row";

export const panelTypes: PanelType[] = [
  "timeseries",
  "bars",
  "stat",
  "gauge",
  "bargauge",
  "table",
  "heatmap",
  "pie",
  "state-timeline",
  "text",
  "alert-list",
  "row",
];

export interface PanelQuery {
  id: string; // "A"
  expression: string;
  legend: string;
  instant: boolean;
  hidden: boolean;
  table?: boolean; // labels as columns
}

export interface Threshold {
  from: number | null; // null: the lowest
  color: string;
}
export interface ValueMapping {
  kind: "value" | "range" | "regex" | "special";
  match: string; // a value, a regex, or "null", "nan", "true", "false", "empty"
  from?: number;
  to?: number;
  text?: string;
  color?: string;
}

// How values of a panel, or of some of its fields, are shown. All are optional: an override sets
// just what it changes.
export interface FieldStyle {
  unit?: string;
  decimals?: number;
  min?: number;
  max?: number;
  name?: string;
  color?: string; // a fixed one
  thresholds?: Threshold[];
  thresholdsPercent?: boolean;
  thresholdLines?: boolean;
  mappings?: ValueMapping[];
  draw?: "line" | "bars" | "points";
  step?: "none" | "after" | "before";
  smooth?: boolean;
  width?: number;
  fill?: number; // 0..100
  dash?: number[];
  stack?: "none" | "normal" | "percent";
  stackGroup?: string; // series of one group are stacked on each other
  negate?: boolean; // drawn below zero
  rightAxis?: boolean;
  axisLabel?: string;
  log?: boolean;
  softMin?: number;
  softMax?: number;
  connectGaps?: boolean;
  hiddenInPlot?: boolean;
  hiddenInLegend?: boolean;
  hiddenColumn?: boolean;
  cell?: "text" | "color" | "background" | "gauge"; // of a table
  links?: { title: string; url: string }[];
}
export interface Override {
  by: "name" | "regex" | "query" | "names";
  match: string; // names: JSON array of names, all others are meant if `except`
  except?: boolean;
  style: FieldStyle;
}

export interface Transformation {
  kind: string; // of those in transform.ts
  options: Record<string, unknown>;
}

export interface Panel {
  id: number;
  type: PanelType;
  title: string;
  description: string;
  x: number;
  y: number;
  w: number;
  h: number;
  queries: PanelQuery[];
  style: FieldStyle;
  overrides: Override[];
  transformations: Transformation[];
  calculation: string; // of a stat and its like: last, mean, max, …
  legend: "list" | "table" | "hidden";
  legendValues: string[];
  options: Record<string, unknown>; // of the type
  minStep: string; // "": chosen by width
  span?: string; // its own range, "24h" up to the dashboard's end
  shift?: string; // looks so much earlier
  repeat?: { variable: string; down: boolean; perRow: number };
  collapsed?: boolean; // of a row
  links: { title: string; url: string }[];
}

export type VariableKind = "query" | "custom" | "interval" | "text" | "constant" | "adhoc";
export interface Variable {
  name: string;
  label: string;
  kind: VariableKind;
  query: string; // label_values(…), a list "a,b : 1", durations, the text; adhoc: nothing
  regex: string;
  sort: number; // Grafana's numbers: 0 none, 1 text up, 2 down, 3 number up, 4 down
  multi: boolean;
  includeAll: boolean;
  allValue: string;
  hidden: boolean;
  chosen: string[]; // at first; ["$__all"]: all; adhoc: filters as in the URL
}

export interface AnnotationSource {
  name: string;
  expression: string;
  title: string;
  color: string;
  enabled: boolean;
  stepS: number;
}
export interface HandAnnotation {
  fromMs: number;
  toMs: number;
  text: string;
}

// To a URL, or to all dashboards that have these tags.
export interface Link {
  title: string;
  url: string;
  tags?: string[];
}

export interface Dashboard {
  id: string;
  version: number;
  title: string;
  description: string;
  tags: string[];
  range: TimeRange;
  refreshS: number; // 0: by hand
  live: boolean; // new points are pushed while the range ends now; before refreshS
  panels: Panel[];
  variables: Variable[];
  annotations: AnnotationSource[];
  notes: HandAnnotation[];
  links: Link[];
  notTranslated: string[]; // what an import could not take over
}

export const allValues = "$__all";

export function emptyPanel(id: number): Panel {
  return {
    id,
    type: "timeseries",
    title: "New panel",
    description: "",
    x: 0,
    y: 0,
    w: 12,
    h: 8,
    queries: [{ id: "A", expression: "", legend: "", instant: false, hidden: false }],
    style: {},
    overrides: [],
    transformations: [],
    calculation: "last",
    legend: "list",
    legendValues: [],
    options: {},
    minStep: "",
    links: [],
  };
}

export function emptyDashboard(): Dashboard {
  return {
    id: "",
    version: 0,
    title: "New dashboard",
    description: "",
    tags: [],
    range: { from: "now-1h", to: "now" },
    refreshS: 30,
    live: true,
    panels: [],
    variables: [],
    annotations: [],
    notes: [],
    links: [],
    notTranslated: [],
  };
}

type Json = Record<string, unknown>;
export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const textOf = (value: unknown, fallback = ""): string =>
  typeof value === "string" ? value : fallback;
export const numberOf = (value: unknown, fallback: number): number =>
  typeof value === "number" && Number.isFinite(value) ? value : fallback;
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
export const objectsOf = (value: unknown): Json[] => listOf(value).filter(isObject);

const clamp = (value: number, min: number, max: number) => Math.min(Math.max(value, min), max);

export function readPanel(json: Json, at: number): Panel {
  const fresh = emptyPanel(numberOf(json.id, at + 1));
  const type = panelTypes.find((t) => t === json.type);
  if (!type) throw new Error(`panel ${at + 1} has the type ${JSON.stringify(json.type)}`);
  const w = clamp(Math.round(numberOf(json.w, 12)), 1, 24);
  const panel: Panel = {
    ...fresh,
    type,
    title: textOf(json.title),
    description: textOf(json.description),
    w,
    x: clamp(Math.round(numberOf(json.x, 0)), 0, 24 - w),
    y: clamp(Math.round(numberOf(json.y, 0)), 0, 100_000),
    h: clamp(Math.round(numberOf(json.h, 8)), 1, 200),
    queries: objectsOf(json.queries).map((q, i) => ({
      id: textOf(q.id, String.fromCharCode(65 + (i % 26))),
      expression: textOf(q.expression),
      legend: textOf(q.legend),
      instant: q.instant === true,
      hidden: q.hidden === true,
      ...(q.table === true ? { table: true } : {}),
    })),
    style: isObject(json.style) ? (json.style as FieldStyle) : {},
    overrides: objectsOf(json.overrides).flatMap((o) =>
      ["name", "regex", "query", "names"].includes(textOf(o.by)) && isObject(o.style)
        ? [o as unknown as Override]
        : [],
    ),
    transformations: objectsOf(json.transformations).map((t) => ({
      kind: textOf(t.kind),
      options: isObject(t.options) ? t.options : {},
    })),
    calculation: textOf(json.calculation, "last"),
    legend: json.legend === "table" || json.legend === "hidden" ? json.legend : "list",
    legendValues: listOf(json.legendValues).map((v) => textOf(v)),
    options: isObject(json.options) ? json.options : {},
    minStep: textOf(json.minStep),
    links: objectsOf(json.links).map((l) => ({ title: textOf(l.title), url: textOf(l.url) })),
  };
  for (const key of ["span", "shift"] as const) {
    if (parseDuration(textOf(json[key])) !== undefined) panel[key] = textOf(json[key]);
  }
  if (json.collapsed === true) panel.collapsed = true;
  if (isObject(json.repeat) && textOf(json.repeat.variable) !== "") {
    panel.repeat = {
      variable: textOf(json.repeat.variable),
      down: json.repeat.down === true,
      perRow: clamp(numberOf(json.repeat.perRow, 4), 1, 24),
    };
  }
  return panel;
}

function readVariable(json: Json): Variable {
  const kinds: VariableKind[] = ["query", "custom", "interval", "text", "constant", "adhoc"];
  const name = textOf(json.name);
  if (!/^\w+$/.test(name)) throw new Error(`a variable has the name ${JSON.stringify(json.name)}`);
  return {
    name,
    label: textOf(json.label),
    kind: kinds.find((kind) => kind === json.kind) ?? "custom",
    query: textOf(json.query),
    regex: textOf(json.regex),
    sort: numberOf(json.sort, 0),
    multi: json.multi === true,
    includeAll: json.includeAll === true,
    allValue: textOf(json.allValue),
    hidden: json.hidden === true,
    chosen: listOf(json.chosen).map((v) => textOf(v)),
  };
}

export const panelsMax = 500;

// Throws an Error that says what is wrong.
export function readDashboard(json: unknown): Dashboard {
  if (!isObject(json)) throw new Error("a dashboard is a JSON object");
  if (textOf(json.title) === "") throw new Error("the dashboard has no title");
  const panels = objectsOf(json.panels);
  if (panels.length > panelsMax) {
    throw new Error(`${panels.length} panels are more than the ${panelsMax} that are shown`);
  }
  const range = isObject(json.range) ? json.range : {};
  return {
    id: textOf(json.id),
    version: numberOf(json.version, 0),
    title: textOf(json.title),
    description: textOf(json.description),
    tags: listOf(json.tags).map((t) => textOf(t)),
    range: { from: textOf(range.from, "now-1h"), to: textOf(range.to, "now") },
    refreshS: clamp(numberOf(json.refreshS, 30), 0, 86_400),
    live: json.live === true,
    panels: panels.map(readPanel),
    variables: objectsOf(json.variables).map(readVariable),
    annotations: objectsOf(json.annotations).map((a) => ({
      name: textOf(a.name),
      expression: textOf(a.expression),
      title: textOf(a.title),
      color: textOf(a.color, "#5b8def"),
      enabled: a.enabled !== false,
      stepS: numberOf(a.stepS, 0),
    })),
    notes: objectsOf(json.notes).map((n) => ({
      fromMs: numberOf(n.fromMs, 0),
      toMs: numberOf(n.toMs, numberOf(n.fromMs, 0)),
      text: textOf(n.text),
    })),
    links: objectsOf(json.links).map((l) => ({
      title: textOf(l.title),
      url: textOf(l.url),
      ...(Array.isArray(l.tags) ? { tags: l.tags.map((t) => textOf(t)) } : {}),
    })),
    notTranslated: listOf(json.notTranslated).map((t) => textOf(t)),
  };
}

// Only these may be followed; anything else (javascript:) is shown as text.
export function safeUrl(url: string): string | undefined {
  try {
    const parsed = new URL(url, document.baseURI);
    return ["http:", "https:", "mailto:"].includes(parsed.protocol) ? parsed.href : undefined;
  } catch {
    return undefined;
  }
}

// A link with a cell's value in it. The value is data: "$&" in it means nothing.
export function withValue(url: string, value: unknown): string {
  return url.replaceAll("$" + "{__value.raw}", () => String(value));
}
