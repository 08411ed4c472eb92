// SPDX-License-Identifier: Apache-2.0
// Which ink can be read on a colour.

// WCAG's relative luminance of an sRGB colour, channels 0..255.
export function luminance(red: number, green: number, blue: number): number {
  const [r, g, b] = [red, green, blue].map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// Below this luminance white stands out more than black does.
const middle = Math.sqrt(1.05 * 0.05) - 0.05;

const probe =
  typeof document === "undefined" ? null : document.createElement("canvas").getContext("2d");

// Black or white, whichever stands out more on the CSS colour; at least 4.5 to 1.
export function inkOn(color: string): string {
  if (!probe) return "#fff";
  probe.fillStyle = "#000";
  probe.fillStyle = color; // the browser reads any notation and gives #rrggbb
  const hex = /^#(..)(..)(..)$/.exec(String(probe.fillStyle));
  if (!hex) return "#fff";
  const [r = 0, g = 0, b = 0] = hex.slice(1).map((h) => Number.parseInt(h, 16));
  return luminance(r, g, b) > middle ? "#000" : "#fff";
}
