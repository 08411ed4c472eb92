// SPDX-License-Identifier: Apache-2.0
import { formatValue } from "../../src/web/app/lib/units";

test.each([
  [0, "short", "0"],
  [1234, "short", "1.234k"],
  [-1_500_000, "short", "-1.5M"],
  [0.00001234, "short", "0.0000123"],
  [1536, "bytes", "1.5 KiB"],
  [1500, "decbytes", "1.5 kB"],
  [2_000_000, "bps", "2 Mb/s"],
  [0.254, "percentunit", "25.4 %"],
  [25.4, "percent", "25.4 %"],
  [0.00025, "s", "250 µs"],
  [1.5, "s", "1.5 s"],
  [7200, "s", "2h"],
  [1500, "ms", "1.5 s"],
  [21.5, "celsius", "21.5 °C"],
  [3, "widgets", "3 widgets"],
])("%d as %s is %s", (value, unit, text) => {
  expect(formatValue(value, unit)).toBe(text);
});

test("decimals are kept when asked for", () => {
  expect(formatValue(12.3456, "none", 1)).toBe("12.3");
  expect(formatValue(1000, "bytes", 2)).toBe("1000.00 B");
});

test("what is no number is named", () => {
  expect(formatValue(Number.NaN, "bytes")).toBe("NaN");
  expect(formatValue(Number.POSITIVE_INFINITY)).toBe("+Inf");
  expect(formatValue(Number.NEGATIVE_INFINITY)).toBe("-Inf");
});
