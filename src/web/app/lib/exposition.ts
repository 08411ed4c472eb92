// SPDX-License-Identifier: Apache-2.0
// Reads the text a server gives out at /metrics: enough of it for this server's own.
import type { LabelSet } from "./api";
import { parseValue } from "./number";

export interface OwnSample {
  name: string;
  labels: LabelSet;
  value: number;
}

const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)/;
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;
const escapes: Record<string, string> = { n: "\n" };

export function parseExposition(text: string): OwnSample[] {
  return text.split("\n").flatMap((row) => {
    const found = row.startsWith("#") ? null : line.exec(row);
    if (!found) return [];
    const labels: LabelSet = {};
    for (const [, name, value] of (found[2] ?? "").matchAll(label)) {
      labels[name ?? ""] = (value ?? "").replace(/\\(.)/g, (_, c: string) => escapes[c] ?? c);
    }
    return [{ name: found[1] ?? "", labels, value: parseValue(found[3] ?? "") }];
  });
}

// The sum over all series of a name; undefined if there is none.
export function sumOf(samples: OwnSample[], name: string): number | undefined {
  const all = samples.filter((sample) => sample.name === name);
  return all.length === 0 ? undefined : all.reduce((sum, sample) => sum + sample.value, 0);
}
