// SPDX-License-Identifier: Apache-2.0
import { colorOf, inkOn, show, styleOf, thresholdColor } from "../../src/web/app/dashboard/field";
import { emptyPanel } from "../../src/web/app/dashboard/model";
import { increments } from "../../src/web/app/lib/units";

test("text on a colour is black or white, whichever can be read", () => {
  for (const light of ["#fff", "#f2cc0c", "#56c271", "hsl(60 72% 40%)", "hsl(140 70% 66%)"]) {
    expect(inkOn(light)).toBe("#0b0e14");
  }
  for (const dim of ["#000000", "#b3261e", "#0b5cad", "hsl(270 72% 30%)", "transparent"]) {
    expect(inkOn(dim)).toBe("#ffffff");
  }
});

test("values are shown by mapping, threshold and unit", () => {
  const mappings = [
    { kind: "value" as const, match: "1", text: "up", color: "green" },
    { kind: "range" as const, match: "", from: 2, to: 5, text: "some" },
    { kind: "special" as const, match: "null", text: "gone" },
    { kind: "regex" as const, match: "^a", text: "an a" },
  ];
  expect(show(1, { mappings })).toEqual({ text: "up", color: "green" });
  expect(show(3, { mappings }).text).toBe("some");
  expect(show(null, { mappings }).text).toBe("gone");
  expect(show("abc", { mappings }).text).toBe("an a");
  expect(show(2048, { unit: "bytes", decimals: 1 }).text).toBe("2.0 KiB");
  const thresholds = [
    { from: null, color: "green" },
    { from: 80, color: "red" },
  ];
  expect(thresholdColor(79, { thresholds })).toBe("green");
  expect(thresholdColor(80, { thresholds })).toBe("red");
  expect(thresholdColor(5, { thresholds, thresholdsPercent: true, max: 5 })).toBe("red");
});

test("overrides pick fields, and colours from outside are colours", () => {
  const panel = {
    ...emptyPanel(1),
    overrides: [
      { by: "regex" as const, match: "/^x/i", style: { unit: "s" } },
      { by: "names" as const, match: '["y"]', except: true, style: { decimals: 2 } },
      { by: "regex" as const, match: "(", style: { unit: "bytes" } },
    ],
  };
  expect(styleOf(panel, "X1", "A")).toEqual({ unit: "s", decimals: 2 });
  expect(styleOf(panel, "y", "A")).toEqual({});
  expect(colorOf("red;background:url(x)", false)).toBe("gray");
});

test("axes of bytes have ticks at powers of two, of seconds at minutes and hours", () => {
  expect(increments("bytes")).toContain(1 << 30);
  expect(increments("bytes")).not.toContain(1000);
  expect(increments("s")).toEqual(expect.arrayContaining([0.001, 60, 3600]));
  expect(increments("short")).toBeUndefined();
});
