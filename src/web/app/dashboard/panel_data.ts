// SPDX-License-Identifier: Apache-2.0
// Runs a panel's queries. Each panel loads alone, and only while it can be seen.
import { useEffect, useState } from "preact/hooks";
import { ApiError, instantQuery, type QueryData, rangeQuery } from "../lib/api";
import { useLoad } from "../lib/load";
import { parseDuration, type ResolvedRange, stepFor } from "../lib/time";
import type { StepRange } from "../parts/chart_data";
import type { Mark } from "../parts/chart_options";
import type { Panel, PanelQuery } from "./model";
import { interpolate, type VariableStates } from "./variables";

// What all panels of a dashboard share.
export interface View {
  range: ResolvedRange;
  turn: number; // grows with every refresh
  states: VariableStates;
  marks: Mark[];
  syncKey: string;
  zoom: (fromMs: number, toMs: number) => void;
}

export interface QueryResult {
  query: PanelQuery; // with its legend's variables put in
  data: QueryData;
}
export interface PanelData {
  results: QueryResult[];
  range: StepRange;
  warnings: string[];
}

const scrapeIntervalS = 15;

export function stepRange(panel: Panel, view: View, widthPx: number): StepRange {
  const least = (parseDuration(panel.minStep) ?? 0) / 1000;
  const stepS = Math.max(stepFor(view.range, widthPx), least);
  return {
    startS: Math.ceil(view.range.fromMs / 1000 / stepS) * stepS,
    endS: Math.floor(view.range.toMs / 1000 / stepS) * stepS,
    stepS,
  };
}

export function usePanelData(panel: Panel, view: View, seen: boolean, widthPx: number) {
  const range = stepRange(panel, view, Math.max(widthPx, 200));
  const builtIns = { ...view.range, stepS: range.stepS, scrapeIntervalS };
  const queries = panel.queries
    .filter((q) => !q.hidden && q.expression.trim() !== "")
    .map((q) => ({
      ...q,
      expression: interpolate(q.expression, view.states, builtIns),
      legend: interpolate(q.legend, view.states, builtIns, false),
    }));
  const key = JSON.stringify([queries, range, view.turn, seen]);
  return useLoad<PanelData | undefined>(
    async (signal) => {
      if (!seen) return undefined;
      const warnings: string[] = [];
      const results = await Promise.all(
        queries.map(async (query) => {
          try {
            const answer = query.instant
              ? await instantQuery(query.expression, view.range.toMs / 1000, signal)
              : await rangeQuery(query.expression, range, signal);
            warnings.push(...answer.warnings);
            return { query, data: answer.data };
          } catch (error) {
            if (error instanceof ApiError && queries.length > 1 && error.kind !== "aborted") {
              throw new ApiError(
                error.kind,
                `query ${query.id}: ${error.message}`,
                error.status,
                error.errorType,
              );
            }
            throw error;
          }
        }),
      );
      return { results, range, warnings: [...new Set(warnings)] };
    },
    [key],
  );
}

// Whether the element is near the part of the page that is seen; once seen it stays so for a panel
// that only loads, and follows for `live` ones.
export function useSeen(element: () => Element | null): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const at = element();
    if (!at) return;
    const observer = new IntersectionObserver(
      (entries) => setSeen(entries.some((e) => e.isIntersecting)),
      { rootMargin: "200px" },
    );
    observer.observe(at);
    return () => observer.disconnect();
  }, []);
  return seen;
}
