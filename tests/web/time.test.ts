// SPDX-License-Identifier: Apache-2.0
import {
  alignedSteps,
  formatDuration,
  formatTime,
  leastStep,
  movedOn,
  parseDuration,
  parsePoint,
  resolveRange,
  stepFor,
} from "../../src/web/app/lib/time";

const now = Date.UTC(2026, 10, 21, 12, 0, 0);

test("durations are Prometheus's, and survive both ways", () => {
  expect(parseDuration("1h30m")).toBe(5_400_000);
  expect(parseDuration("250ms")).toBe(250);
  expect(parseDuration("1.5h")).toBeUndefined();
  expect(parseDuration("")).toBeUndefined();
  for (const ms of [1, 999, 60_000, 5_400_000, 90_061_000]) {
    expect(parseDuration(formatDuration(ms))).toBe(ms);
  }
  expect(formatDuration(0)).toBe("0s");
  expect(formatDuration(-60_000)).toBe("-1m");
});

test("points in time: relative, plain in a zone, ISO, epoch", () => {
  expect(parsePoint("now", now, "UTC")).toBe(now);
  expect(parsePoint("now-6h", now, "UTC")).toBe(now - 21_600_000);
  expect(parsePoint("now + 5m", now, "UTC")).toBe(now + 300_000);
  expect(parsePoint("2026-11-21 13:05", now, "UTC")).toBe(Date.UTC(2026, 10, 21, 13, 5));
  expect(parsePoint("2026-11-21 13:05", now, "Europe/Berlin")).toBe(Date.UTC(2026, 10, 21, 12, 5));
  // Behind the end of summer time, where the first guess of the offset is wrong.
  expect(parsePoint("2026-10-25 04:30", now, "Europe/Berlin")).toBe(Date.UTC(2026, 9, 25, 3, 30));
  expect(parsePoint("1700000000", now, "UTC")).toBe(1_700_000_000_000);
  expect(parsePoint("1700000000000", now, "UTC")).toBe(1_700_000_000_000);
  expect(parsePoint("2026-11-21T12:00:00Z", now, "UTC")).toBe(now);
  for (const bad of ["", "soon", "now-", "now-5", "2026-13-40 99:99"]) {
    expect(parsePoint(bad, now, "UTC")).toBeUndefined();
  }
});

test("a range must begin before it ends", () => {
  expect(resolveRange({ from: "now-1h", to: "now" }, now, "UTC")).toEqual({
    fromMs: now - 3_600_000,
    toMs: now,
  });
  expect(resolveRange({ from: "now", to: "now-1h" }, now, "UTC")).toBeUndefined();
});

test("steps are round, follow the width and stay below the server's limit", () => {
  const span = (ms: number) => ({ fromMs: now - ms, toMs: now });
  expect(stepFor(span(3_600_000), 1000)).toBe(10);
  expect(stepFor(span(300_000), 1000)).toBe(1);
  for (const days of [1, 30, 365, 3650]) {
    const range = span(days * 86_400_000);
    expect((range.toMs - range.fromMs) / 1000 / stepFor(range, 4000)).toBeLessThan(11_000);
  }
});

test("a panel's step stays above the scrape interval where enough points are left", () => {
  const least = (minutes: number) => leastStep({ fromMs: now - minutes * 60_000, toMs: now }, 15);
  expect(least(24 * 60)).toBe(15);
  expect(least(60)).toBe(15);
  expect(least(59)).toBe(10);
  expect(least(15)).toBe(2);
  expect(least(1)).toBe(0);
  for (const minutes of [5, 30, 60, 300]) {
    expect((minutes * 60) / least(minutes)).toBeGreaterThanOrEqual(240);
  }
});

test("times are shown in the zone", () => {
  expect(formatTime(now, "UTC")).toBe("2026-11-21 12:00:00");
  expect(formatTime(now + 250, "Asia/Tokyo")).toBe("2026-11-21 21:00:00.250");
  expect(formatTime(Number.NaN, "UTC")).toBe("–");
});

test("steps are multiples within the range, and stay when it moves on", () => {
  const range = { fromMs: 1_003_000, toMs: 1_098_000 };
  expect(alignedSteps(range, 15)).toEqual({ startS: 1005, endS: 1095, stepS: 15 });
  const later = movedOn(range, 1_108_000);
  expect(later).toEqual({ fromMs: 1_013_000, toMs: 1_108_000 });
  expect(alignedSteps(later, 15)).toEqual({ startS: 1020, endS: 1095, stepS: 15 });
  expect(movedOn(range, 1_000_000)).toEqual(range);
});
