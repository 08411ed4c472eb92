// SPDX-License-Identifier: Apache-2.0
import { luminance } from "../../src/web/app/lib/contrast";

describe("luminance", () => {
  it("is 0 for black, 1 for white, and weighs green most", () => {
    expect(luminance(0, 0, 0)).toBe(0);
    expect(luminance(255, 255, 255)).toBeCloseTo(1, 9);
    expect(luminance(0, 255, 0)).toBeCloseTo(0.7152, 9);
    expect(luminance(255, 0, 0)).toBeCloseTo(0.2126, 9);
    expect(luminance(118, 118, 118)).toBeCloseTo(0.1812, 3);
  });
});
