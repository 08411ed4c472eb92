// SPDX-License-Identifier: Apache-2.0
// Time ranges as people write them ("now-6h", an absolute time), durations, and steps. Times are
// milliseconds since the epoch.

// Both ends may be relative to now; `to` is included.
export interface TimeRange {
  from: string;
  to: string;
}
export interface ResolvedRange {
  fromMs: number;
  toMs: number;
}

const unitMs: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

// "1h30m" as Prometheus writes durations; undefined if it is none.
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(ms|[smhdwy]))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[smhdwy])/g)) {
    sum += Number(count) * (unitMs[unit ?? ""] ?? 0);
  }
  return sum;
}

// With at most `parts` units, the larger ones; all of them are exact to the millisecond.
export function formatDuration(ms: number, partsMax = 5): string {
  if (ms === 0) return "0s";
  let rest = Math.round(Math.abs(ms));
  const parts: string[] = [];
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const size = unitMs[unit] ?? 1;
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
  }
  return (ms < 0 ? "-" : "") + parts.slice(0, partsMax).join("");
}

const zoneParts = new Map<string, Intl.DateTimeFormat>();
function formatter(zone: string): Intl.DateTimeFormat {
  let format = zoneParts.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", {
      timeZone: zone === "local" ? undefined : zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    zoneParts.set(zone, format);
  }
  return format;
}

// "2026-11-21 13:05:00" in the zone ("local", "UTC", or an IANA name).
export function formatTime(ms: number, zone: string): string {
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return "–";
  const parts: Record<string, string> = {};
  for (const { type, value } of formatter(zone).formatToParts(ms)) parts[type] = value;
  const millis = ((ms % 1000) + 1000) % 1000;
  const fraction = millis === 0 ? "" : `.${String(Math.round(millis)).padStart(3, "0")}`;
  return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}:${parts.second}${fraction}`;
}

// How far the zone is ahead of UTC at that time.
function offsetMs(ms: number, zone: string): number {
  if (zone === "UTC") return 0;
  const shown = Date.parse(`${formatTime(Math.floor(ms / 1000) * 1000, zone).replace(" ", "T")}Z`);
  return shown - Math.floor(ms / 1000) * 1000;
}

// A point in time: "now", "now-6h", "now+5m", "2026-11-21 13:05[:00]", ISO 8601, epoch seconds or
// milliseconds. undefined if it is none of these.
export function parsePoint(text: string, nowMs: number, zone: string): number | undefined {
  const trimmed = text.trim();
  const relative = /^now(?:\s*([+-])\s*(\S+))?$/.exec(trimmed);
  if (relative) {
    if (!relative[2]) return nowMs;
    const ms = parseDuration(relative[2]);
    return ms === undefined ? undefined : nowMs + (relative[1] === "-" ? -ms : ms);
  }
  if (/^-?\d+(\.\d+)?$/.test(trimmed)) {
    const number = Number(trimmed);
    return number > 1e11 ? number : number * 1000;
  }
  const plain = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?$/.exec(trimmed);
  if (plain) {
    const asUtc = Date.parse(`${plain[1]}T${plain[2] ?? "00:00:00"}Z`);
    if (Number.isNaN(asUtc)) return undefined;
    // Twice, as the first guess may lie on the other side of a change of the clocks.
    const guess = asUtc - offsetMs(asUtc, zone);
    return asUtc - offsetMs(guess, zone);
  }
  const iso = Date.parse(trimmed);
  return Number.isNaN(iso) ? undefined : iso;
}

export function resolveRange(
  range: TimeRange,
  nowMs: number,
  zone: string,
): ResolvedRange | undefined {
  const fromMs = parsePoint(range.from, nowMs, zone);
  const toMs = parsePoint(range.to, nowMs, zone);
  if (fromMs === undefined || toMs === undefined || fromMs >= toMs) return undefined;
  return { fromMs, toMs };
}

export function isRelative(range: TimeRange): boolean {
  return range.from.startsWith("now") || range.to.startsWith("now");
}

const niceSteps = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400,
];

// Seconds between points so that a graph of this width gets about one for every two pixels, from a
// list of round steps; never more than the server's 11,000.
export function stepFor(range: ResolvedRange, widthPx: number): number {
  const spanS = (range.toMs - range.fromMs) / 1000;
  const wanted = Math.max(spanS / Math.max(widthPx / 2, 100), spanS / 10_000, 1);
  return niceSteps.find((step) => step >= wanted) ?? Math.ceil(wanted / 86400) * 86400;
}

// Between two scrapes there is nothing new to see: the step a panel need not go below as long as so
// many points are left that lines keep their shape. A shorter range shows shorter scrapes.
export function leastStep(range: ResolvedRange, scrapeIntervalS: number): number {
  const pointsMin = 240;
  const most = Math.min((range.toMs - range.fromMs) / 1000 / pointsMin, scrapeIntervalS);
  return niceSteps.filter((step) => step <= most).at(-1) ?? 0;
}

// The steps within a range, as range queries take them: at multiples of the step, so that the points
// stay where they are when the range moves on.
export function alignedSteps(range: ResolvedRange, stepS: number) {
  return {
    startS: Math.ceil(range.fromMs / 1000 / stepS) * stepS,
    endS: Math.floor(range.toMs / 1000 / stepS) * stepS,
    stepS,
  };
}

// A live range as it is now: what was resolved at the last turn of the clock ends before what has been
// pushed since, and before what the server says is to be read again.
export function movedOn(range: ResolvedRange, nowMs: number): ResolvedRange {
  const by = Math.max(nowMs - range.toMs, 0);
  return { fromMs: range.fromMs + by, toMs: range.toMs + by };
}
