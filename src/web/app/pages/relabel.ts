// SPDX-License-Identifier: Apache-2.0
// How relabelling changed a target's labels, step by step: what api/v1/targets/relabel_steps answers,
// as differences and sentences.
import type { LabelSet } from "../lib/api";

export interface RelabelRule {
  source_labels?: string[] | null;
  separator?: string;
  regex?: string;
  modulus?: number;
  target_label?: string;
  replacement?: string;
  action?: string;
}
export interface RelabelStep {
  rule: RelabelRule;
  output: LabelSet | null;
  keep: boolean; // false: the target is dropped, here or by a rule before
}

// The steps that a target went through: up to the one that dropped it.
export function stepsTaken(steps: RelabelStep[]): RelabelStep[] {
  const dropped = steps.findIndex((step) => !step.keep);
  return dropped < 0 ? steps : steps.slice(0, dropped + 1);
}

export interface LabelChange {
  name: string;
  before: string | undefined; // undefined: it was not there
  after: string | undefined; // undefined: it has gone
}

export function labelChanges(before: LabelSet, after: LabelSet): LabelChange[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => before[name] !== after[name])
    .sort()
    .map((name) => ({ name, before: before[name], after: after[name] }));
}

// Whether a rule keeps or drops, and changes no label.
export function onlySorts(rule: RelabelRule): boolean {
  return /^(keep|drop)(equal)?$/i.test(rule.action ?? "");
}

const anything = new Set(["", "(.*)", ".*"]);

// What a rule says, as a sentence.
export function ruleText(rule: RelabelRule): string {
  const action = (rule.action ?? "replace").toLowerCase();
  const sources = rule.source_labels ?? [];
  const source = sources.join(rule.separator && rule.separator !== ";" ? rule.separator : ";");
  const regex = rule.regex ?? "(.*)";
  const target = rule.target_label ?? "";
  const replacement = rule.replacement ?? "$1";
  const when = anything.has(regex) ? "" : `, where it matches ${regex}`;
  switch (action) {
    case "replace":
      if (sources.length === 0) return `set ${target} to “${replacement}”`;
      if (replacement === "$1" && anything.has(regex)) return `set ${target} to ${source}`;
      return `set ${target} to “${replacement}” from ${source}${when}`;
    case "keep":
      return `keep targets whose ${source} matches ${regex}`;
    case "drop":
      return `drop targets whose ${source} matches ${regex}`;
    case "keepequal":
      return `keep targets whose ${source} equals ${target}`;
    case "dropequal":
      return `drop targets whose ${source} equals ${target}`;
    case "hashmod":
      return `set ${target} to the hash of ${source} modulo ${rule.modulus ?? 0}`;
    case "labelmap":
      return `copy labels whose name matches ${regex} to ${replacement}`;
    case "labeldrop":
      return `remove labels whose name matches ${regex}`;
    case "labelkeep":
      return `remove labels whose name does not match ${regex}`;
    case "lowercase":
      return `set ${target} to ${source} in lower case`;
    case "uppercase":
      return `set ${target} to ${source} in upper case`;
    default:
      return action;
  }
}

// The rule as it stands in a configuration; what has its usual value is left out.
export function ruleYaml(rule: RelabelRule): string {
  const quoted = (text: string) => JSON.stringify(text);
  const lines: string[] = [];
  if (rule.source_labels && rule.source_labels.length > 0) {
    lines.push(`source_labels: [${rule.source_labels.join(", ")}]`);
  }
  if (rule.separator && rule.separator !== ";") lines.push(`separator: ${quoted(rule.separator)}`);
  if (rule.regex && rule.regex !== "(.*)") lines.push(`regex: ${quoted(rule.regex)}`);
  if (rule.modulus) lines.push(`modulus: ${rule.modulus}`);
  if (rule.target_label) lines.push(`target_label: ${rule.target_label}`);
  if (rule.replacement !== undefined && rule.replacement !== "$1") {
    lines.push(`replacement: ${quoted(rule.replacement)}`);
  }
  if (rule.action && rule.action !== "replace") lines.push(`action: ${rule.action}`);
  return lines.join("\n");
}
