// SPDX-License-Identifier: Apache-2.0
// What a heatmap shows: for each time the buckets with their counts, of classic histograms (label le)
// or of native ones.
import { parseValue } from "../lib/number";
import { timesOf } from "../parts/chart_data";
import type { PanelData } from "./panel_results";

export interface HeatCell {
  low: number;
  high: number;
  count: number;
}
export interface Heat {
  timesS: number[];
  columns: HeatCell[][]; // by time
  max: number;
  low: number;
  high: number; // of the finite bounds
}

// Buckets of classic histograms are cumulative: each less the one below it.
export function heatOf(data: PanelData): Heat {
  const timesS = timesOf(data.range);
  const columns: HeatCell[][] = timesS.map(() => []);
  const place = (time: number) => Math.round((time - data.range.startS) / data.range.stepS);
  for (const { data: answer } of data.results) {
    if (answer.resultType !== "matrix") continue;
    const classic = new Map<number, Map<number, number>>();
    for (const item of answer.result) {
      for (const [time, histogram] of item.histograms ?? []) {
        for (const [, from, to, count] of histogram.buckets ?? []) {
          columns[place(time)]?.push({ low: Number(from), high: Number(to), count: Number(count) });
        }
      }
      const bound = parseValue(item.metric.le ?? "");
      if (Number.isNaN(bound) || item.metric.le === undefined) continue;
      for (const [time, text] of item.values ?? []) {
        const at = place(time);
        const counts = classic.get(at) ?? new Map<number, number>();
        counts.set(bound, (counts.get(bound) ?? 0) + parseValue(text));
        classic.set(at, counts);
      }
    }
    for (const [at, counts] of classic) {
      let below = 0;
      let low = 0;
      for (const [high, count] of [...counts].sort((a, b) => a[0] - b[0])) {
        columns[at]?.push({ low, high, count: Math.max(count - below, 0) });
        below = Math.max(below, count);
        low = high;
      }
    }
  }
  const cells = columns.flat();
  const bounds = cells
    .filter((c) => c.count > 0)
    .flatMap((c) => [c.low, c.high])
    .filter((b) => Number.isFinite(b));
  return {
    timesS,
    columns,
    max: cells.reduce((max, c) => Math.max(max, c.count), 0),
    low: bounds.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    high: bounds.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
  };
}
