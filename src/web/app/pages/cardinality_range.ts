// SPDX-License-Identifier: Apache-2.0
// Which times the cardinality page counts: "1h", "24h", "7d" or a day (2026-11-21) of the chosen
// zone, against nothing, the stretch right before, the same one a day or a week ago, or another day.
import { formatTime, parsePoint } from "../lib/time";

export interface CountedRange {
  startMs: number;
  endMs: number; // included
}

const day = 86_400_000;
const spans: Record<string, number> = { "1h": 3_600_000, "24h": day, "7d": 7 * day };
const isDay = (text: string) => /^\d{4}-\d{2}-\d{2}$/.test(text);

function dayRange(text: string, zone: string): CountedRange | undefined {
  const startMs = parsePoint(text, 0, zone);
  if (startMs === undefined) return undefined;
  // The next midnight: 36 hours on it is the next day whatever the clocks do.
  const next = formatTime(startMs + 1.5 * day, zone).slice(0, 10);
  const endMs = parsePoint(next, 0, zone);
  return endMs === undefined ? undefined : { startMs, endMs: endMs - 1 };
}

export function countedRange(at: string, nowMs: number, zone: string): CountedRange | undefined {
  if (isDay(at)) return dayRange(at, zone);
  const span = spans[at];
  return span === undefined ? undefined : { startMs: nowMs - span, endMs: nowMs };
}

export const comparesNothing = "none";

// undefined: with "none", and where `against` is none of these.
export function comparedRange(
  against: string,
  counted: CountedRange,
  zone: string,
): CountedRange | undefined {
  if (isDay(against)) return dayRange(against, zone);
  const shifts: Record<string, number> = {
    before: counted.endMs - counted.startMs + 1,
    day,
    week: 7 * day,
  };
  const shift = shifts[against];
  if (shift === undefined) return undefined;
  return { startMs: counted.startMs - shift, endMs: counted.endMs - shift };
}
