// SPDX-License-Identifier: Apache-2.0
import { layOver, mergeLive } from "../../src/web/app/dashboard/live_merge";
import { LiveTail } from "../../src/web/app/dashboard/live_tail";
import type { PanelData } from "../../src/web/app/dashboard/panel_results";
import type { MatrixItem } from "../../src/web/app/lib/api";
import { EventReader } from "../../src/web/app/lib/event_stream";
import type { LivePoints } from "../../src/web/app/lib/live";

describe("event stream", () => {
  const text =
    'retry: 3000\n: hello\n\nid: 7\nevent: points\ndata: {"a":1}\n\ndata: x\r\ndata: y\r\n\r\n';
  it("gives the same events however the text is cut", () => {
    const whole = new EventReader().push(text);
    expect(whole).toEqual([
      { event: "points", data: '{"a":1}', id: "7" },
      { event: "message", data: "x\ny", id: "7" },
    ]);
    for (let size = 1; size < 9; ++size) {
      const reader = new EventReader();
      const events = [];
      for (let at = 0; at < text.length; at += size) {
        events.push(...reader.push(text.slice(at, at + size)));
      }
      expect(events).toEqual(whole);
    }
  });
  it("keeps an event that is not whole, and refuses one without end", () => {
    const reader = new EventReader(100);
    expect(reader.push("data: a")).toEqual([]);
    expect(reader.push("\n\n")).toHaveLength(1);
    expect(() => reader.push(`data: ${"x".repeat(200)}`)).toThrow("too long");
  });
});

describe("pushed points", () => {
  const query = { id: "A", expression: "m", legend: "", instant: false, hidden: false };
  const data = (result: MatrixItem[]): PanelData => ({
    results: [{ query, data: { resultType: "matrix", result } }],
    range: { startS: 100, endS: 130, stepS: 10 },
    warnings: [],
  });
  const resultOf = (d: PanelData) => d.results[0]?.data.result as MatrixItem[];
  const item = (pod: string, ...values: [number, string][]): MatrixItem => ({
    metric: { pod },
    values,
  });

  it("move the window on and drop what falls out of it", () => {
    const next = mergeLive(data([item("a", [100, "1"], [110, "2"], [130, "3"])]), "A", {
      toS: 140,
      stepS: 10,
      items: [item("a", [140, "4"])],
    });
    expect(next.range).toEqual({ startS: 110, endS: 140, stepS: 10 });
    expect(resultOf(next)).toEqual([item("a", [110, "2"], [130, "3"], [140, "4"])]);
  });
  it("replace a step that has changed, in any order", () => {
    const once = mergeLive(data([item("a", [120, "1"], [130, "2"])]), "A", {
      toS: 150,
      stepS: 10,
      items: [item("a", [130, "9"], [150, "5"])],
    });
    const twice = mergeLive(once, "A", { toS: 140, stepS: 10, items: [item("a", [140, "4"])] });
    expect(twice.range.endS).toBe(150);
    expect(resultOf(twice)).toEqual([item("a", [120, "1"], [130, "9"], [140, "4"], [150, "5"])]);
  });
  it("bring new series, and old ones go when their last point has", () => {
    const next = mergeLive(data([item("old", [100, "1"])]), "A", {
      toS: 140,
      stepS: 10,
      items: [item("new", [140, "1"])],
    });
    expect(resultOf(next)).toEqual([item("new", [140, "1"])]);
  });
  it("of native histograms are kept too", () => {
    const histogram = { count: "1", sum: "2" };
    const next = mergeLive(data([]), "A", {
      toS: 140,
      stepS: 10,
      items: [{ metric: {}, histograms: [[140, histogram]] }],
    });
    expect(resultOf(next)).toEqual([{ metric: {}, histograms: [[140, histogram]] }]);
  });
  it("of another step or another query change nothing", () => {
    const before = data([item("a", [130, "3"])]);
    const points = { toS: 140, stepS: 15, items: [item("a", [140, "4"])] };
    expect(mergeLive(before, "A", points)).toBe(before);
    expect(resultOf(mergeLive(before, "B", { ...points, stepS: 10 }))).toEqual(resultOf(before));
  });
});

describe("the tail of a query", () => {
  const piece = (fromS: number | undefined, toS: number): LivePoints => ({
    ...(fromS === undefined ? {} : { fromS }),
    toS,
    stepS: 10,
    items: [{ metric: {}, values: [[toS, String(toS)]] }],
  });
  const tail = (...pieces: LivePoints[]) => {
    const made = new LiveTail(100, 10);
    for (const p of pieces) made.take(p);
    return made;
  };

  it("goes on where a piece joins, with a step that came again too", () => {
    expect(tail(piece(110, 120), piece(120, 130)).afterS).toBe(130);
  });
  it("waits before a hole until what is missing has come", () => {
    const made = tail(piece(130, 130));
    expect(made.afterS).toBe(100);
    made.take(piece(140, 140));
    expect(made.afterS).toBe(100);
    made.take(piece(110, 120));
    expect(made.afterS).toBe(140);
    expect(made.torn).toBe(false);
  });
  it("is torn if the hole stays, and whole when the range was read again", () => {
    const made = tail(piece(130, 130), piece(140, 140), piece(150, 150));
    expect(made.torn).toBe(false);
    made.take(piece(160, 160));
    expect(made.torn).toBe(true);
    made.rebase(140);
    expect(made.torn).toBe(false);
    expect(made.afterS).toBe(160);
  });
  it("takes pieces that do not say where they begin as they come", () => {
    expect(tail(piece(undefined, 150)).afterS).toBe(150);
  });
  it("begins again where a range that was read anew ends, and what came since joins", () => {
    const made = tail(piece(110, 110), piece(120, 120), piece(130, 130));
    made.rebase(120);
    expect(made.afterS).toBe(130);
    expect(made.pieces.map((p) => p.toS)).toEqual([130]);
    made.rebase(200);
    expect(made.afterS).toBe(200);
    expect(made.pieces).toEqual([]);
  });
  it("does not grow without end", () => {
    const made = new LiveTail(0, 10);
    for (let to = 10; to <= 10_000; to += 10) made.take(piece(to, to));
    expect(made.pieces.length).toBeLessThan(40);
    expect(made.afterS).toBe(10_000);
  });

  it("lies over a range that was read while it came", () => {
    const query = { id: "A", expression: "m", legend: "", instant: false, hidden: false };
    const read: PanelData = {
      of: "queries",
      results: [
        {
          query,
          data: { resultType: "matrix", result: [{ metric: {}, values: [[120, "old"]] }] },
        },
      ],
      range: { startS: 100, endS: 120, stepS: 10 },
      warnings: [],
    };
    const tails = new Map([["A", tail(piece(110, 110), piece(120, 120), piece(130, 130))]]);
    const shown = layOver(read, { of: "queries", tails });
    expect(shown.range).toEqual({ startS: 110, endS: 130, stepS: 10 });
    expect(shown.results[0]?.data.result).toEqual([
      {
        metric: {},
        values: [
          [120, "old"],
          [130, "130"],
        ],
      },
    ]);
    expect(layOver(read, { of: "others", tails })).toBe(read);
    expect(layOver(read, undefined)).toBe(read);
  });
});
