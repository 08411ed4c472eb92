// SPDX-License-Identifier: Apache-2.0
import { mergeLive } from "../../src/web/app/dashboard/live_merge";
import type { PanelData } from "../../src/web/app/dashboard/panel_data";
import type { MatrixItem } from "../../src/web/app/lib/api";
import { EventReader } from "../../src/web/app/lib/event_stream";

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
