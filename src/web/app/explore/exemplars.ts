// SPDX-License-Identifier: Apache-2.0
// What api/v1/query_exemplars answers, as points of a chart.
import type { LabelSet } from "../lib/api";
import { parseValue } from "../lib/number";
import type { ChartPoint } from "../parts/chart_data";

export interface ExemplarSeries {
  seriesLabels: LabelSet;
  exemplars: { labels: LabelSet; value: string; timestamp: number }[];
}

// Slots across the range: more points than a few in each hide each other and the lines.
const slots = 160;

// Of each slot the largest, the smallest and the newest; those without a place on an axis are left
// out. `dropped` is what was left out for want of room.
export function exemplarPoints(
  series: ExemplarSeries[],
  range: { startS: number; endS: number },
): { points: ChartPoint[]; dropped: number } {
  const width = Math.max((range.endS - range.startS) / slots, 1e-3);
  const bySlot = new Map<number, ChartPoint[]>();
  let count = 0;
  for (const { seriesLabels, exemplars } of series) {
    for (const { labels, value, timestamp } of exemplars) {
      const point = { timeS: timestamp, value: parseValue(value), labels, series: seriesLabels };
      if (!Number.isFinite(point.value)) continue;
      ++count;
      const slot = Math.floor((timestamp - range.startS) / width);
      const list = bySlot.get(slot);
      if (list) list.push(point);
      else bySlot.set(slot, [point]);
    }
  }
  const best = (list: ChartPoint[], more: (a: ChartPoint, b: ChartPoint) => boolean) =>
    list.reduce((a, b) => (more(b, a) ? b : a));
  const points = [...bySlot.values()].flatMap((list) => [
    ...new Set([
      best(list, (a, b) => a.value > b.value),
      best(list, (a, b) => a.value < b.value),
      best(list, (a, b) => a.timeS > b.timeS),
    ]),
  ]);
  points.sort((a, b) => a.timeS - b.timeS);
  return { points, dropped: count - points.length };
}
