// SPDX-License-Identifier: Apache-2.0
// From a matrix to the columns that uPlot draws.
import type { MatrixItem } from "../lib/api";
import { legendText } from "../lib/labels";
import { parseValue } from "../lib/number";

export interface ChartSeries {
  name: string;
  labels: Record<string, string>;
  values: (number | null)[]; // one per time; null: a gap
}
export interface ChartData {
  timesS: number[];
  series: ChartSeries[];
  dropped: number; // series beyond the limit
}

// More lines than this can neither be told apart nor drawn smoothly.
export const drawnSeriesMax = 300;

// Points lie on start + i * step; what a series does not have there is a gap.
export function toChartData(
  matrix: MatrixItem[],
  range: { startS: number; endS: number; stepS: number },
  legend: string,
  limit = drawnSeriesMax,
): ChartData {
  const count = Math.floor((range.endS - range.startS) / range.stepS + 1e-6) + 1;
  const timesS = Array.from({ length: count }, (_, i) => range.startS + i * range.stepS);
  const series = matrix.slice(0, limit).map((item) => {
    const values = new Array<number | null>(count).fill(null);
    const put = (time: number, text: string) => {
      const at = Math.round((time - range.startS) / range.stepS);
      const value = parseValue(text);
      if (at >= 0 && at < count && Number.isFinite(value)) values[at] = value;
    };
    for (const [time, text] of item.values ?? []) put(time, text);
    // Without a heatmap a native histogram is drawn as its count.
    for (const [time, histogram] of item.histograms ?? []) put(time, histogram.count);
    return { name: legendText(legend, item.metric), labels: item.metric, values };
  });
  return { timesS, series, dropped: Math.max(0, matrix.length - limit) };
}

// Each series on top of those before it; gaps count as 0 there and stay gaps themselves.
export function stacked(series: ChartSeries[]): (number | null)[][] {
  const sums: number[] = [];
  return series.map(({ values }) =>
    values.map((value, i) => {
      sums[i] = (sums[i] ?? 0) + (value ?? 0);
      return value === null ? null : (sums[i] ?? null);
    }),
  );
}

export interface Summary {
  last: number;
  min: number;
  max: number;
  mean: number;
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
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    ++count;
  }
  return last === undefined ? undefined : { last, min, max, mean: sum / count };
}

// Colours that stay apart for many series, for a light or a dark ground.
export function seriesColor(at: number, dark: boolean): string {
  const hue = (137.508 * at + 140) % 360;
  const ring = Math.floor(at / 12) % 3;
  const lightness = dark ? [66, 56, 76][ring] : [40, 52, 30][ring];
  return `hsl(${hue.toFixed(0)} ${dark ? 70 : 72}% ${lightness}%)`;
}
