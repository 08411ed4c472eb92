// SPDX-License-Identifier: Apache-2.0
import {
  type Block,
  blockRows,
  bytesPerDay,
  bytesPerSample,
} from "../../src/web/app/pages/storage_blocks";
import { timeTicks } from "../../src/web/app/parts/time_ticks";

test("marks of a time axis stand on round times of the zone", () => {
  const from = Date.UTC(2026, 10, 21, 10, 7);
  const hours = timeTicks(from, from + 6 * 3_600_000, 8, "UTC");
  expect(hours.map((tick) => tick.text)).toEqual([
    "11:00",
    "12:00",
    "13:00",
    "14:00",
    "15:00",
    "16:00",
  ]);
  const days = timeTicks(from, from + 4 * 86_400_000, 5, "Asia/Tokyo");
  expect(days.map((tick) => tick.text)).toEqual([
    "2026-11-22",
    "2026-11-23",
    "2026-11-24",
    "2026-11-25",
  ]);
  expect(days[0]?.ms).toBe(Date.UTC(2026, 10, 21, 15));
  expect(timeTicks(from, from, 8, "UTC")).toEqual([]);
});

function block(level: number, late: boolean, resolution: number): Block {
  return {
    ulid: `${level}${late}${resolution}`,
    minTime: 0,
    maxTime: 10,
    stats: { numSamples: 100, numSeries: 1, numChunks: 1 },
    compaction: { level, sources: [] },
    varve: { sizeBytes: 150, windowStart: 0, windowEnd: 10, outOfOrder: late, resolution },
  };
}

test("blocks stand in rows by resolution, level and lateness", () => {
  const rows = blockRows(
    [
      block(2, false, 0),
      block(1, false, 300_000),
      block(1, true, 0),
      block(1, false, 0),
      block(1, false, 0),
    ],
    (resolution, level, late) => `${resolution} ${level} ${late}`,
    (b) => ({ text: "", title: b.ulid }),
  );
  expect(rows.map((row) => row.name)).toEqual([
    "0 1 false",
    "0 1 true",
    "0 2 false",
    "300000 1 false",
  ]);
  expect(rows.map((row) => row.spans.length)).toEqual([2, 1, 1, 1]);
  expect(rows.map((row) => row.spans[0]?.kind)).toEqual(["block", "late", "block", "coarse"]);
});

test("bytes a sample, where the server tells sizes", () => {
  expect(bytesPerSample(block(1, false, 0))).toBe(1.5);
  const { varve: _, ...plain } = block(1, false, 0);
  expect(bytesPerSample(plain)).toBeUndefined();
});

test("what a day takes counts raw blocks over the time they span", () => {
  const day = 86_400_000;
  const spanning = (from: number, to: number, resolution: number) => ({
    ...block(1, false, resolution),
    minTime: from,
    maxTime: to,
  });
  expect(
    bytesPerDay([spanning(0, day, 0), spanning(day, 3 * day, 0), spanning(0, day, 60_000)]),
  ).toBe(100);
  expect(bytesPerDay([])).toBeUndefined();
});
