// SPDX-License-Identifier: Apache-2.0
// What Explore shows, as parameters of the URL. Links made for Prometheus's page (g0.expr, g0.tab,
// g0.range_input, g0.end_input, g0.moment_input) are understood too: alerts carry them.
import { parseDuration, parsePoint, type TimeRange } from "../lib/time";

export type View = "graph" | "table" | "explain" | "json";

export interface QueryState {
  expression: string;
  view: View;
  mode: "line" | "stacked" | "points" | "heatmap";
  log: boolean;
  exemplars: boolean; // drawn above the lines
  unit: string;
  legend: string;
}
export interface ExploreState {
  queries: QueryState[];
  range: TimeRange;
  stepS: number | undefined; // undefined: chosen by width
  refreshS: number; // 0: by hand
  columns: 1 | 2; // queries side by side
}

export const emptyQuery: QueryState = {
  expression: "",
  view: "graph",
  mode: "line",
  log: false,
  exemplars: false,
  unit: "short",
  legend: "",
};
export const queriesMax = 16;
const defaultRange: TimeRange = { from: "now-1h", to: "now" };

function viewOf(text: string | null): View {
  if (text === "1" || text === "table") return "table";
  return text === "json" || text === "explain" ? text : "graph";
}

function rangeOf(parameters: URLSearchParams): TimeRange {
  const from = parameters.get("from");
  if (from) return { from, to: parameters.get("to") ?? "now" };
  const span = parameters.get("g0.range_input");
  if (!span || parseDuration(span) === undefined) return defaultRange;
  const end = parameters.get("g0.end_input") ?? parameters.get("g0.moment_input");
  const endMs = end ? parsePoint(end, Date.now(), "UTC") : undefined;
  if (endMs === undefined) return { from: `now-${span}`, to: "now" };
  const startMs = endMs - (parseDuration(span) ?? 0);
  return { from: new Date(startMs).toISOString(), to: new Date(endMs).toISOString() };
}

export function readState(parameters: URLSearchParams): ExploreState {
  const queries: QueryState[] = [];
  for (let i = 0; i < queriesMax; ++i) {
    const expression = parameters.get(`g${i}.expr`);
    if (expression === null) break;
    const mode =
      parameters.get(`g${i}.mode`) ??
      (parameters.get(`g${i}.display_mode`) === "stacked" ? "stacked" : "line");
    queries.push({
      expression,
      view: viewOf(parameters.get(`g${i}.tab`)),
      mode: mode === "stacked" || mode === "points" || mode === "heatmap" ? mode : "line",
      log: parameters.get(`g${i}.log`) === "1",
      exemplars:
        (parameters.get(`g${i}.exemplars`) ?? parameters.get(`g${i}.show_exemplars`)) === "1",
      unit: parameters.get(`g${i}.unit`) ?? "short",
      legend: parameters.get(`g${i}.legend`) ?? "",
    });
  }
  const step = Number(parameters.get("step") ?? parameters.get("g0.step_input"));
  const refresh = Number(parameters.get("refresh"));
  return {
    queries: queries.length > 0 ? queries : [emptyQuery],
    range: rangeOf(parameters),
    stepS: step > 0 ? step : undefined,
    refreshS: refresh > 0 ? Math.max(refresh, 1) : 0,
    columns: parameters.get("columns") === "2" ? 2 : 1,
  };
}

export function writeState(state: ExploreState): URLSearchParams {
  const parameters = new URLSearchParams();
  state.queries.slice(0, queriesMax).forEach((query, i) => {
    parameters.set(`g${i}.expr`, query.expression);
    parameters.set(`g${i}.tab`, query.view);
    if (query.mode !== "line") parameters.set(`g${i}.mode`, query.mode);
    if (query.log) parameters.set(`g${i}.log`, "1");
    if (query.exemplars) parameters.set(`g${i}.exemplars`, "1");
    if (query.unit !== "short") parameters.set(`g${i}.unit`, query.unit);
    if (query.legend !== "") parameters.set(`g${i}.legend`, query.legend);
  });
  parameters.set("from", state.range.from);
  parameters.set("to", state.range.to);
  if (state.stepS !== undefined) parameters.set("step", String(state.stepS));
  if (state.refreshS > 0) parameters.set("refresh", String(state.refreshS));
  if (state.columns === 2) parameters.set("columns", "2");
  return parameters;
}

// The state with its range as the times it stands for now: what a link shows to whoever opens it later.
export function fixedState(
  state: ExploreState,
  resolved: { fromMs: number; toMs: number },
): ExploreState {
  const iso = (ms: number) => new Date(Math.round(ms)).toISOString();
  return {
    ...state,
    range: { from: iso(resolved.fromMs), to: iso(resolved.toMs) },
    refreshS: 0,
  };
}
