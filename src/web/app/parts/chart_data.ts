// SPDX-License-Identifier: Apache-2.0
// From a matrix to the columns that uPlot draws.
import type { MatrixItem } from "../lib/api";
import { legendText } from "../lib/labels";
import { eachSample } from "../lib/late_samples";

// How one line differs from the chart's style.
export interface SeriesLook {
  color?: string;
  draw?: "line" | "bars" | "points";
  step?: "none" | "after" | "before";
  smooth?: boolean;
  width?: number;
  fill?: number; // 0..100
  dash?: number[];
  stack?: "none" | "normal" | "percent";
  stackGroup?: string;
  negate?: boolean;
  rightAxis?: boolean;
  connectGaps?: boolean;
  unit?: string;
  decimals?: number;
  hiddenInLegend?: boolean;
}
export interface ChartSeries {
  name: string;
  labels: Record<string, string>;
  values: (number | null)[]; // one per time; null: a gap
  look?: SeriesLook;
}
export interface ChartData {
  timesS: number[];
  series: ChartSeries[];
  dropped: number; // series beyond the limit
  notFinite?: number; // samples that are NaN or infinite, which no axis has a place for
}
// A single sample drawn above the lines: an exemplar.
export interface ChartPoint {
  timeS: number;
  value: number;
  unit?: string; // where it is that of the lines
  labels: Record<string, string>;
  series: Record<string, string>;
}

export interface StepRange {
  startS: number;
  endS: number;
  stepS: number;
}

// More lines than this can neither be told apart nor drawn smoothly.
export const drawnSeriesMax = 300;

export function timesOf(range: StepRange): number[] {
  const count = Math.floor((range.endS - range.startS) / range.stepS + 1e-6) + 1;
  return Array.from({ length: Math.max(count, 0) }, (_, i) => range.startS + i * range.stepS);
}

// Points lie on start + i * step; what a series does not have there is a gap. `onNotFinite` is called
// for each sample that is NaN or infinite, which is a gap too.
export function valuesOn(
  item: MatrixItem,
  range: StepRange,
  count: number,
  onNotFinite?: () => void,
): (number | null)[] {
  // Gaps are NaN until all is read: an array of nothing but numbers takes a third of the memory.
  const read = new Float64Array(count).fill(Number.NaN);
  const put = (time: number, value: number) => {
    if (!Number.isFinite(value)) {
      onNotFinite?.();
      return;
    }
    const at = Math.round((time - range.startS) / range.stepS);
    if (at >= 0 && at < count) read[at] = value;
  };
  eachSample(item, put);
  // Without a heatmap a native histogram is drawn as its count.
  for (const [time, histogram] of item.histograms ?? []) put(time, Number(histogram.count));
  const values: (number | null)[] = [];
  for (const value of read) values.push(Number.isNaN(value) ? null : value);
  return values;
}

export function toChartData(
  matrix: MatrixItem[],
  range: StepRange,
  legend: string,
  limit = drawnSeriesMax,
): ChartData {
  const timesS = timesOf(range);
  const drawn = matrix.slice(0, limit);
  let notFinite = 0;
  const series = drawn.map((item) => ({
    name: legendText(legend, item.metric),
    labels: item.metric,
    values: valuesOn(item, range, timesS.length, () => ++notFinite),
  }));
  return { timesS, series, dropped: Math.max(0, matrix.length - limit), notFinite };
}

// What is drawn: signs turned, stacks summed up (those above and below zero apart); gaps count as 0
// in a stack and stay gaps themselves.
export function drawnColumns(
  series: ChartSeries[],
  stackAll: boolean,
): { columns: (number | null)[][]; stacked: boolean[] } {
  const sums = new Map<string, number[]>();
  const totals: number[] = [];
  const percent = series.some((s) => s.look?.stack === "percent");
  if (percent) {
    for (const { values } of series) {
      values.forEach((v, i) => {
        totals[i] = (totals[i] ?? 0) + Math.abs(v ?? 0);
      });
    }
  }
  const stacked = series.map(
    (s) => stackAll || (s.look?.stack !== undefined && s.look.stack !== "none"),
  );
  const columns = series.map((s, at) => {
    if (!stacked[at] && !percent && !s.look?.negate) return s.values;
    const sign = s.look?.negate ? -1 : 1;
    const group = stackGroup(s.look);
    const sum = sums.get(group) ?? [];
    sums.set(group, sum);
    return s.values.map((value, i) => {
      let v = value === null ? null : sign * value;
      if (percent && v !== null) v = totals[i] ? (100 * v) / totals[i] : 0;
      if (!stacked[at]) return v;
      sum[i] = (sum[i] ?? 0) + (v ?? 0);
      return v === null ? null : (sum[i] ?? null);
    });
  });
  return { columns, stacked };
}

// Pairs of series (by their place among those drawn) between which a stack is filled: each one and
// the one it stands on. Filled to the ground all would shine through each other.
export function stackBands(series: ChartSeries[], stacked: boolean[]): [number, number][] {
  const below = new Map<string, number>();
  return series.flatMap(({ look }, at): [number, number][] => {
    if (!stacked[at]) return [];
    const group = stackGroup(look);
    const under = below.get(group);
    below.set(group, at);
    return under === undefined ? [] : [[at, under]];
  });
}

function stackGroup(look: SeriesLook | undefined): string {
  return `${look?.negate ? -1 : 1}/${look?.stackGroup ?? ""}`;
}

export interface Summary {
  last: number;
  min: number;
  max: number;
  mean: number;
  sum: number;
}

export function summarize(values: (number | null)[]): Summary | undefined {
  let last: number | undefined;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let count = 0;
  for (const value of values) {
    if (value === null) continue;
    last = value;
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
    ++count;
  }
  return last === undefined ? undefined : { last, min, max, mean: sum / count, sum };
}

// The series at one time, the largest value first, at most `limit`; `focused` is always among them.
export function largestAt(
  series: ChartSeries[],
  shown: number[],
  at: number,
  focused: number | null,
  limit: number,
): { rows: { series: number; value: number }[]; more: number } {
  const all = shown.flatMap((index) => {
    const value = series[index]?.values[at];
    return value === null || value === undefined ? [] : [{ series: index, value }];
  });
  all.sort((a, b) => b.value - a.value);
  const rows = all.slice(0, limit);
  const place = all.findIndex((row) => row.series === focused);
  if (place >= limit) rows[limit - 1] = all[place] as (typeof all)[number];
  return { rows, more: all.length - rows.length };
}

// Colours for a light or a dark ground. The first twelve are told apart by their hue, the first of them
// best; those that follow lie between them and are darker or lighter.
const hues = [145, 275, 30, 210, 335, 70, 185, 5, 245, 300, 50, 110];

export function seriesColor(at: number, dark: boolean): string {
  const turn = Math.floor(at / hues.length);
  const hue = ((hues[at % hues.length] ?? 0) + 13 * turn) % 360;
  const ring = turn % 3;
  const lightness = dark ? [66, 56, 76][ring] : [40, 52, 30][ring];
  return `hsl(${hue.toFixed(0)} ${dark ? 70 : 72}% ${lightness}%)`;
}
