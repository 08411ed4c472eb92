// SPDX-License-Identifier: Apache-2.0
import { narrowed } from "../../src/web/app/lib/labels";
import { comparedRange, countedRange } from "../../src/web/app/pages/cardinality_range";

const now = Date.UTC(2026, 10, 21, 12);
const hour = 3_600_000;

test("a stretch ends now, a day is that of the zone", () => {
  expect(countedRange("24h", now, "UTC")).toEqual({ startMs: now - 24 * hour, endMs: now });
  expect(countedRange("2026-11-20", now, "Asia/Tokyo")).toEqual({
    startMs: Date.UTC(2026, 10, 19, 15),
    endMs: Date.UTC(2026, 10, 20, 15) - 1,
  });
  expect(countedRange("soon", now, "UTC")).toBeUndefined();
  expect(countedRange("2026-19-40", now, "UTC")).toBeUndefined();
});

test("a day on which the clocks change is longer or shorter", () => {
  const range = countedRange("2026-10-25", now, "Europe/Berlin");
  expect((range?.endMs ?? 0) - (range?.startMs ?? 0) + 1).toBe(25 * hour);
  const spring = countedRange("2026-03-29", now, "Europe/Berlin");
  expect((spring?.endMs ?? 0) - (spring?.startMs ?? 0) + 1).toBe(23 * hour);
});

test("what is compared is the stretch before, the same one earlier, a day, or nothing", () => {
  const counted = { startMs: now - hour + 1, endMs: now };
  expect(comparedRange("before", counted, "UTC")).toEqual({
    startMs: now - 2 * hour + 1,
    endMs: now - hour,
  });
  expect(comparedRange("week", counted, "UTC")?.endMs).toBe(now - 7 * 24 * hour);
  expect(comparedRange("2026-11-01", counted, "UTC")?.startMs).toBe(Date.UTC(2026, 10, 1));
  expect(comparedRange("none", counted, "UTC")).toBeUndefined();
});

test("a selector is narrowed by one more matcher", () => {
  expect(narrowed("", 'a="b"')).toBe('{a="b"}');
  expect(narrowed("up", 'a="b"')).toBe('up{a="b"}');
  expect(narrowed("up{}", 'a="b"')).toBe('up{a="b"}');
  expect(narrowed('{x="}{",}', 'a="b"')).toBe('{x="}{",a="b"}');
  expect(narrowed("up", '__name__="up"')).toBe("up");
  expect(narrowed('{"a.b"}', 'a="b"')).toBe('{"a.b",a="b"}');
});
