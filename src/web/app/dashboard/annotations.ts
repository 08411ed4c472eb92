// SPDX-License-Identifier: Apache-2.0
// What is marked on the time axis of a dashboard's charts: notes made by hand, and the times at which
// the dashboard's annotation queries give something other than zero.
import { useMemo } from "preact/hooks";
import { rangeQuery } from "../lib/api";
import { legendText } from "../lib/labels";
import { useLoad } from "../lib/load";
import { dark } from "../lib/settings";
import { alignedSteps, type ResolvedRange, stepFor } from "../lib/time";
import type { Mark } from "../parts/chart_options";
import { colorOf } from "./field";
import type { AnnotationSource, Dashboard } from "./model";
import { interpolate, type VariableStates } from "./variables";

const marksMax = 500;
const noteColor = "#5b8def";

// Steps that follow each other are one stretch.
export function stretchesOf(
  values: [number, string][],
  stepS: number,
): { fromS: number; toS: number }[] {
  const all: { fromS: number; toS: number }[] = [];
  for (const [time, value] of values) {
    if (Number(value) === 0 || Number.isNaN(Number(value))) continue;
    const last = all.at(-1);
    if (last && time <= last.toS + 1.5 * stepS) last.toS = time;
    else all.push({ fromS: time, toS: time });
  }
  return all;
}

async function marksOf(
  source: AnnotationSource,
  range: ResolvedRange,
  states: VariableStates,
  signal: AbortSignal,
): Promise<Mark[]> {
  const stepS = Math.max(source.stepS, stepFor(range, 400));
  const step = alignedSteps(range, stepS);
  const query = interpolate(source.expression, states, { ...range, stepS, scrapeIntervalS: 15 });
  const { data } = await rangeQuery(query, step, signal);
  if (data.resultType !== "matrix") return [];
  return data.result.flatMap((item) =>
    stretchesOf(item.values ?? [], stepS).map((stretch) => ({
      ...stretch,
      color: colorOf(source.color, dark.value),
      text: legendText(source.title, item.metric) || source.name,
    })),
  );
}

// Queries that fail are named in `problem`; the others show.
export function useAnnotations(
  dashboard: Dashboard,
  range: ResolvedRange | undefined,
  states: VariableStates,
  ready: boolean,
  keys: readonly unknown[],
): { marks: Mark[]; problem: string | undefined } {
  const loaded = useLoad<{ marks: Mark[]; problem?: string }>(
    async (signal) => {
      if (!range || !ready) return { marks: [] };
      const sources = dashboard.annotations.filter((a) => a.enabled);
      const found = await Promise.allSettled(
        sources.map((source) => marksOf(source, range, states, signal)),
      );
      const problems = found.flatMap((f, at) =>
        f.status === "rejected"
          ? [`${sources[at]?.name || "annotation"}: ${String(f.reason?.message ?? f.reason)}`]
          : [],
      );
      const marks = found
        .flatMap((f) => (f.status === "fulfilled" ? f.value : []))
        .slice(0, marksMax);
      return problems.length > 0 ? { marks, problem: problems.join("; ") } : { marks };
    },
    [dashboard.annotations, ready, ...keys],
  );
  const found = loaded.data?.marks;
  const marks = useMemo(
    () => [
      ...dashboard.notes.map((note) => ({
        fromS: note.fromMs / 1000,
        toS: note.toMs / 1000,
        color: noteColor,
        text: note.text,
      })),
      ...(found ?? []),
    ],
    [dashboard.notes, found],
  );
  return { marks, problem: loaded.data?.problem ?? loaded.error?.message };
}
