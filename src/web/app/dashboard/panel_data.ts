// SPDX-License-Identifier: Apache-2.0
// Runs a panel's queries. Each panel loads alone, and only while it can be seen. On a live range the
// server pushes the new points; what it does not push (instant queries, or without a stream) is read
// again at every poll.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError, instantQuery, type QueryData, rangeQuery } from "../lib/api";
import { type LivePoints, liveState, subscribeLive } from "../lib/live";
import { useLoad } from "../lib/load";
import {
  alignedSteps,
  leastStep,
  movedOn,
  parseDuration,
  type ResolvedRange,
  stepFor,
} from "../lib/time";
import type { StepRange } from "../parts/chart_data";
import type { Mark } from "../parts/chart_options";
import { layOver, mergeLive, type Pushed } from "./live_merge";
import { LiveTail } from "./live_tail";
import type { Panel, PanelQuery } from "./model";
import type { PanelData } from "./panel_results";
import { interpolate, queryText, type VariableStates } from "./variables";

// What all panels of a dashboard share.
export interface View {
  range: ResolvedRange;
  live: boolean; // the range ends now and is to be followed
  turn: number; // grows when the user wants everything read again
  poll: number; // grows with the clock
  states: VariableStates;
  marks: Mark[];
  syncKey: string;
  zoom: (fromMs: number, toMs: number) => void;
  annotate?: ((fromMs: number, toMs: number) => void) | undefined;
}

const scrapeIntervalS = 15;

// A panel may look at a range of its own, or at an earlier one.
export function viewOf(panel: Panel, view: View): View {
  const span = parseDuration(panel.span ?? "");
  const shift = parseDuration(panel.shift ?? "") ?? 0;
  if (span === undefined && shift === 0) return view;
  const toMs = view.range.toMs - shift;
  const fromMs = span === undefined ? view.range.fromMs - shift : toMs - span;
  return { ...view, range: { fromMs, toMs }, live: view.live && shift === 0 };
}

export function stepRange(panel: Panel, view: View, widthPx: number): StepRange {
  const least = Math.max(
    (parseDuration(panel.minStep) ?? 0) / 1000,
    leastStep(view.range, scrapeIntervalS),
  );
  return alignedSteps(view.range, Math.max(stepFor(view.range, widthPx), least));
}

// With "@ end()" every point is about the end of the range: new points alone say too little.
const looksAtBounds = /@\s*(start|end)\s*\(/;

async function ask(
  query: PanelQuery,
  range: StepRange,
  toMs: number,
  signal: AbortSignal,
): Promise<{ data: QueryData; warnings: string[] }> {
  return query.instant
    ? instantQuery(query.expression, toMs / 1000, signal, false)
    : rangeQuery(query.expression, range, signal);
}

const named = (query: PanelQuery, error: unknown) =>
  error instanceof ApiError && error.kind !== "aborted"
    ? new ApiError(error.kind, `query ${query.id}: ${error.message}`, error.status, error.errorType)
    : error;

export function usePanelData(panel: Panel, view: View, seen: boolean, widthPx: number) {
  const range = stepRange(panel, view, Math.max(widthPx, 200));
  const builtIns = { ...view.range, stepS: range.stepS, scrapeIntervalS };
  const queries = panel.queries
    .filter((q) => !q.hidden && q.expression.trim() !== "")
    .map((q) => ({
      ...q,
      expression: queryText(q.expression, view.states, builtIns),
      legend: interpolate(q.legend, view.states, builtIns, false),
    }));
  const queriesKey = JSON.stringify(queries);
  // A query whose new points cannot be pushed says so; its panel is polled until one comes.
  const [refused, setRefused] = useState<string>();
  const canPush =
    view.live &&
    queries.length > 0 &&
    queries.every((q) => !q.instant && !looksAtBounds.test(q.expression));
  const pushed = canPush && refused === undefined && liveState.value === "pushed";
  const spanS = Math.round((view.range.toMs - view.range.fromMs) / 1000);
  const when = pushed ? [spanS, range.stepS] : [range, view.poll];
  const base = useRef<PanelData | undefined>(undefined);
  const loaded = useLoad<PanelData | undefined>(
    async (signal) => {
      if (!seen) return base.current;
      const asked = view.live ? movedOn(view.range, Date.now()) : view.range;
      const steps = alignedSteps(asked, range.stepS);
      const warnings: string[] = [];
      const results = await Promise.all(
        queries.map(async (query) => {
          try {
            const answer = await ask(query, steps, asked.toMs, signal);
            warnings.push(...answer.warnings);
            return { query, data: answer.data };
          } catch (error) {
            throw queries.length > 1 ? named(query, error) : error;
          }
        }),
      );
      return { of: queriesKey, results, range: steps, warnings: [...new Set(warnings)] };
    },
    [queriesKey, JSON.stringify(when), view.turn, seen],
  );

  // Pushed points lie over what was loaded last.
  const pushedNow = useRef<Pushed | undefined>(undefined);
  const [over, setOver] = useState<{ base: PanelData; data: PanelData }>();
  base.current = loaded.data;
  const laid = useMemo(() => loaded.data && layOver(loaded.data, pushedNow.current), [loaded.data]);
  useEffect(() => {
    const under = loaded.data;
    if (!under || pushedNow.current?.of !== under.of) return;
    for (const tail of pushedNow.current?.tails.values() ?? []) tail.rebase(under.range.endS);
  }, [loaded.data]);
  // A query that the server has not answered yet may be wrong, and would cost the others the stream.
  const subscribes = canPush && seen && loaded.data?.of === queriesKey;
  useEffect(() => {
    if (!subscribes) return;
    const endS = base.current?.range.endS ?? range.endS;
    const followed = queries.map((query) => ({ query, tail: new LiveTail(endS, range.stepS) }));
    const mine = { of: queriesKey, tails: new Map(followed.map((f) => [f.query.id, f.tail])) };
    pushedNow.current = mine;
    let waiting: [string, LivePoints][] = [];
    let timer = 0;
    // The queries of a panel are pushed one after another: drawn together.
    const flush = () => {
      timer = 0;
      const pieces = waiting;
      waiting = [];
      setOver((old) => {
        const under = base.current;
        if (!under) return old;
        let data = old?.base === under ? old.data : layOver(under, mine);
        for (const [id, points] of pieces) data = mergeLive(data, id, points);
        return { base: under, data };
      });
    };
    const ends = followed.map(({ query: { id, expression }, tail }) =>
      subscribeLive({
        expression,
        stepS: range.stepS,
        afterS: () => tail.afterS,
        onPoints: (points) => {
          setRefused(undefined);
          const whole = !tail.torn;
          tail.take(points);
          if (whole && tail.torn) loaded.reload();
          waiting.push([id, points]);
          if (timer === 0) timer = setTimeout(flush, 60) as unknown as number;
        },
        onReload: loaded.reload,
        onFailed: (message) => setRefused(queries.length > 1 ? `query ${id}: ${message}` : message),
      }),
    );
    return () => {
      clearTimeout(timer);
      for (const end of ends) end();
      pushedNow.current = undefined;
    };
  }, [subscribes, queriesKey, range.stepS]);

  return { ...loaded, data: over && over.base === loaded.data ? over.data : laid };
}

const nearPx = 200;

// Whether the element is near the part of the page that is seen.
export function useSeen(element: () => Element | null): boolean {
  const [seen, setSeen] = useState(false);
  useLayoutEffect(() => {
    const at = element();
    if (!at) return;
    // The observer speaks after the next frame only, and the first query can be under way by then.
    const { top, bottom } = at.getBoundingClientRect();
    setSeen(top <= innerHeight + nearPx && bottom >= -nearPx);
    const observer = new IntersectionObserver(
      (entries) => setSeen(entries.at(-1)?.isIntersecting === true),
      { rootMargin: `${nearPx}px` },
    );
    observer.observe(at);
    return () => observer.disconnect();
  }, []);
  return seen;
}
