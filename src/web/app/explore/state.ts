// SPDX-License-Identifier: Apache-2.0
// What Explore shows, as parameters of the URL. Links made for Prometheus's page (g0.expr, g0.tab,
// g0.range_input, g0.end_input, g0.moment_input) are understood too: alerts carry them.
import { parseDuration, parsePoint, type TimeRange } from "../lib/time";

export type View = "graph" | "table" | "json";

export interface QueryState {
  expression: string;
  view: View;
  mode: "line" | "stacked" | "points";
  log: boolean;
  unit: string;
  legend: string;
}
export interface ExploreState {
  queries: QueryState[];
  range: TimeRange;
  stepS: number | undefined; // undefined: chosen by width
  refreshS: number; // 0: by hand
}

export const emptyQuery: QueryState = {
  expression: "",
  view: "graph",
  mode: "line",
  log: false,
  unit: "short",
  legend: "",
};
export const queriesMax = 16;
const defaultRange: TimeRange = { from: "now-1h", to: "now" };

function viewOf(text: string | null): View {
  if (text === "1" || text === "table") return "table";
  return text === "json" ? "json" : "graph";
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
      mode: mode === "stacked" || mode === "points" ? mode : "line",
      log: parameters.get(`g${i}.log`) === "1",
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
  };
}

export function writeState(state: ExploreState): URLSearchParams {
  const parameters = new URLSearchParams();
  state.queries.slice(0, queriesMax).forEach((query, i) => {
    parameters.set(`g${i}.expr`, query.expression);
    parameters.set(`g${i}.tab`, query.view);
    if (query.mode !== "line") parameters.set(`g${i}.mode`, query.mode);
    if (query.log) parameters.set(`g${i}.log`, "1");
    if (query.unit !== "short") parameters.set(`g${i}.unit`, query.unit);
    if (query.legend !== "") parameters.set(`g${i}.legend`, query.legend);
  });
  parameters.set("from", state.range.from);
  parameters.set("to", state.range.to);
  if (state.stepS !== undefined) parameters.set("step", String(state.stepS));
  if (state.refreshS > 0) parameters.set("refresh", String(state.refreshS));
  return parameters;
}
