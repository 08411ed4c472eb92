// SPDX-License-Identifier: Apache-2.0
// Where the marks of a time axis stand and what they say, for what is drawn without uPlot.
import { formatTime } from "../lib/time";

export interface TimeTick {
  ms: number;
  text: string;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const steps = [
  minute,
  5 * minute,
  10 * minute,
  30 * minute,
  hour,
  3 * hour,
  6 * hour,
  12 * hour,
  day,
  2 * day,
  7 * day,
  14 * day,
  30 * day,
  90 * day,
  365 * day,
];

// At most `countMax` marks in (from, to), on round times of the zone.
export function timeTicks(
  fromMs: number,
  toMs: number,
  countMax: number,
  zone: string,
): TimeTick[] {
  const span = toMs - fromMs;
  if (!(span > 0) || countMax < 1) return [];
  const step = steps.find((s) => span / s <= countMax) ?? Math.ceil(span / countMax / day) * day;
  // What the clock of the zone shows, as if it were UTC, so that days begin at its midnight.
  const shown = (ms: number) =>
    Date.parse(`${formatTime(ms, zone).slice(0, 19).replace(" ", "T")}Z`);
  const ahead = shown(Math.floor(fromMs / 1000) * 1000) - Math.floor(fromMs / 1000) * 1000;
  const ticks: TimeTick[] = [];
  for (let t = Math.ceil((fromMs + ahead) / step) * step; t < toMs + ahead; t += step) {
    const ms = t - ahead;
    if (ms <= fromMs) continue;
    const text = formatTime(ms, zone);
    ticks.push({ ms, text: step >= day ? text.slice(0, 10) : text.slice(span > day ? 5 : 11, 16) });
  }
  return ticks;
}
