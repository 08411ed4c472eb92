// SPDX-License-Identifier: Apache-2.0
// Series names as PromQL writes them.
import type { LabelSet } from "./api";

const plainName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const plainLabel = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export function quote(text: string): string {
  return `"${text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"')}"`;
}

export function labelName(name: string): string {
  return plainLabel.test(name) ? name : quote(name);
}

// {__name__="up",job="x"} as up{job="x"}; a selector that picks just this series.
export function seriesName(labels: LabelSet): string {
  const name = labels.__name__ ?? "";
  const pairs = Object.entries(labels)
    .filter(([key]) => key !== "__name__")
    .map(([key, value]) => `${labelName(key)}=${quote(value)}`);
  if (name !== "" && !plainName.test(name)) return `{${[quote(name), ...pairs].join(", ")}}`;
  return pairs.length > 0 || name === "" ? `${name}{${pairs.join(", ")}}` : name;
}

// "{{instance}} {{job}}" with the labels put in; where that gives nothing: the whole name.
export function legendText(template: string, labels: LabelSet): string {
  const text = template.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name: string) => labels[name] ?? "");
  return text.trim() === "" ? seriesName(labels) : text;
}

// The label names that differ among the series: enough to tell them apart.
export function differingLabels(all: LabelSet[]): string[] {
  const first = all[0];
  if (!first) return [];
  const names = new Set(all.flatMap((labels) => Object.keys(labels)));
  return [...names].filter((name) => all.some((labels) => labels[name] !== first[name])).sort();
}

// Names for where room is scarce: of series named by all their labels only those that differ.
export function shortNames(series: { name: string; labels: LabelSet }[]): string[] {
  const differing = new Set(differingLabels(series.map((s) => s.labels)));
  return series.map(({ name, labels }) => {
    if (differing.size === 0 || name !== seriesName(labels)) return name;
    return seriesName(
      Object.fromEntries(Object.entries(labels).filter(([label]) => differing.has(label))),
    );
  });
}

// A selector with one more matcher.
export function narrowed(selector: string, matcher: string): string {
  const text = selector.trim();
  if (text === "") return `{${matcher}}`;
  const [, name = text, inside = ""] = /^([^{]*)\{(.*)\}$/s.exec(text) ?? [];
  // A name may not be given twice; there is only this one then.
  if (name.trim() !== "" && matcher.startsWith("__name__=")) return text;
  const old = inside.trim().replace(/,$/, "");
  return `${name.trim()}{${old === "" ? matcher : `${old},${matcher}`}}`;
}
