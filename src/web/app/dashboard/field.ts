// SPDX-License-Identifier: Apache-2.0
// How one field of a panel is shown: the panel's style with the overrides that pick it, and from
// that the text and colour of its values.
import { formatValue } from "../lib/units";
import type { Cell } from "./frames";
import type { FieldStyle, Override, Panel, ValueMapping } from "./model";

// Grafana's named colours, so that imported dashboards look like themselves.
const named: Record<string, [light: string, dark: string]> = {
  green: ["#1a7f37", "#56c271"],
  "dark-green": ["#0f5323", "#2f9e4c"],
  "semi-dark-green": ["#14652c", "#43b05f"],
  "light-green": ["#2f9e4c", "#8edba1"],
  yellow: ["#9a6700", "#f2cc0c"],
  "dark-yellow": ["#7d5300", "#d4a900"],
  "light-yellow": ["#b58400", "#ffe66a"],
  "super-light-yellow": ["#b58400", "#fff3a8"],
  orange: ["#bc4c00", "#ff9830"],
  "dark-orange": ["#953800", "#f2760a"],
  "semi-dark-orange": ["#a84300", "#f58620"],
  red: ["#b3261e", "#f2495c"],
  "dark-red": ["#8c1d18", "#d13438"],
  "semi-dark-red": ["#a0211b", "#e02f44"],
  "light-red": ["#c4392f", "#ff7383"],
  blue: ["#0b5cad", "#5794f2"],
  "dark-blue": ["#084a8c", "#3274d9"],
  "light-blue": ["#2174c7", "#8ab8ff"],
  "super-light-blue": ["#2174c7", "#c0d8ff"],
  purple: ["#7a3e9d", "#b877d9"],
  "dark-purple": ["#5e2d7a", "#8f3bb8"],
  text: ["#1a2233", "#e3e8f1"],
  transparent: ["transparent", "transparent"],
};

export function colorOf(name: string, dark: boolean): string {
  const pair = named[name];
  if (pair) return dark ? pair[1] : pair[0];
  return /^(#[0-9a-f]{3,8}|rgba?\([\d.,\s%]+\)|hsl\([\d.,\s%]+\)|[a-z]+)$/i.test(name)
    ? name
    : "gray";
}

// Red, green and blue from 0 to 1 of #rgb, #rrggbb, or hsl(…) as seriesColor() writes it.
function channels(color: string): number[] | undefined {
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(color)?.[1];
  if (hex) {
    const wide = hex.length === 3 ? hex.replace(/./g, "$&$&") : hex;
    return [0, 2, 4].map((at) => Number.parseInt(wide.slice(at, at + 2), 16) / 255);
  }
  const hsl = /^hsl\(([\d.]+) ([\d.]+)% ([\d.]+)%\)$/.exec(color);
  if (!hsl) return undefined;
  const [h, s, l] = [Number(hsl[1]), Number(hsl[2]) / 100, Number(hsl[3]) / 100];
  return [0, 8, 4].map((n) => {
    const k = (n + h / 30) % 12;
    return l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1));
  });
}

// Black or white, whichever is read better on that colour.
export function inkOn(color: string): string {
  const [r = 0, g = 0, b = 0] = (channels(color) ?? [0, 0, 0]).map((share) =>
    share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4,
  );
  // WCAG's relative luminance; at 0.179 both have the same contrast.
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#0b0e14" : "#ffffff";
}

function picks(override: Override, name: string, query: string): boolean {
  switch (override.by) {
    case "name":
      return override.match === name;
    case "query":
      return override.match === query;
    case "names": {
      let names: unknown;
      try {
        names = JSON.parse(override.match);
      } catch {
        return false;
      }
      const among = Array.isArray(names) && names.includes(name);
      return override.except ? !among : among;
    }
    case "regex": {
      const parts = /^\/(.*)\/(\w*)$/s.exec(override.match);
      try {
        return new RegExp(parts?.[1] ?? override.match, (parts?.[2] ?? "").replace("g", "")).test(
          name,
        );
      } catch {
        return false;
      }
    }
  }
}

export function styleOf(panel: Panel, name: string, query: string): FieldStyle {
  const style: FieldStyle = { ...panel.style };
  for (const override of panel.overrides) {
    if (picks(override, name, query)) Object.assign(style, override.style);
  }
  return style;
}

function mappingFor(mappings: ValueMapping[], value: Cell): ValueMapping | undefined {
  return mappings.find((m) => {
    switch (m.kind) {
      case "value":
        return String(value) === m.match;
      case "range":
        return (
          typeof value === "number" &&
          value >= (m.from ?? Number.NEGATIVE_INFINITY) &&
          value <= (m.to ?? Number.POSITIVE_INFINITY)
        );
      case "regex":
        try {
          return new RegExp(m.match.replace(/^\/(.*)\/$/, "$1")).test(String(value));
        } catch {
          return false;
        }
      case "special":
        if (m.match === "null") return value === null;
        if (m.match === "nan") return Number.isNaN(value);
        if (m.match === "null+nan") return value === null || Number.isNaN(value);
        if (m.match === "true") return value === 1;
        if (m.match === "false") return value === 0;
        return m.match === "empty" && value === "";
    }
    return false;
  });
}

// Of the thresholds the last one that the value reaches.
export function thresholdColor(value: number, style: FieldStyle): string | undefined {
  const { min = 0, max = 100 } = style;
  let color: string | undefined;
  for (const step of style.thresholds ?? []) {
    const from =
      step.from === null
        ? Number.NEGATIVE_INFINITY
        : style.thresholdsPercent
          ? min + ((max - min) * step.from) / 100
          : step.from;
    if (value >= from) color = step.color;
  }
  return color;
}

export interface Shown {
  text: string;
  color: string | undefined; // as named in the dashboard
}

const booleans: Record<string, [no: string, yes: string]> = {
  bool: ["False", "True"],
  bool_yes_no: ["No", "Yes"],
  bool_on_off: ["Off", "On"],
};

export function show(value: Cell, style: FieldStyle): Shown {
  const mapping = mappingFor(style.mappings ?? [], value);
  const color =
    mapping?.color ??
    (typeof value === "number" ? thresholdColor(value, style) : undefined) ??
    style.color;
  if (mapping?.text !== undefined && mapping.text !== "") return { text: mapping.text, color };
  if (value === null) return { text: "–", color };
  if (typeof value === "string") return { text: value, color };
  const pair = booleans[style.unit ?? ""];
  if (pair) return { text: value === 0 ? pair[0] : pair[1], color };
  return { text: formatValue(value, style.unit ?? "short", style.decimals), color };
}
