// SPDX-License-Identifier: Apache-2.0
// How the series of two sides of an operator pair up: by the labels that are compared, with what has
// no partner and what has too many.
import type { LabelSet } from "../lib/api";
import type { Matching } from "./promql_tree";

export interface MatchGroup {
  key: string;
  labels: LabelSet; // what is compared
  left: LabelSet[];
  right: LabelSet[];
  problem:
    | ""
    | "no partner"
    | "too many on the left"
    | "too many on the right"
    | "too many on both";
}

export function signatureOf(labels: LabelSet, matching: Matching): LabelSet {
  const listed = new Set(matching.labels);
  return Object.fromEntries(
    Object.entries(labels)
      .filter(([name, value]) =>
        matching.on ? listed.has(name) : name !== "__name__" && !listed.has(name) && value !== "",
      )
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function problemOf(
  left: number,
  right: number,
  matching: Matching,
  op: string,
): MatchGroup["problem"] {
  if (matching.card === "many-to-many") {
    const alone = op === "and" ? left === 0 || right === 0 : op === "unless" && left === 0;
    return alone ? "no partner" : "";
  }
  if (left === 0 || right === 0) return "no partner";
  const manyLeft = left > 1 && matching.card !== "many-to-one";
  const manyRight = right > 1 && matching.card !== "one-to-many";
  if (manyLeft && manyRight) return "too many on both";
  if (manyLeft) return "too many on the left";
  return manyRight ? "too many on the right" : "";
}

// Groups with trouble first.
export function matchGroups(
  left: LabelSet[],
  right: LabelSet[],
  matching: Matching,
  op: string,
): MatchGroup[] {
  const groups = new Map<string, Omit<MatchGroup, "problem">>();
  const add = (labels: LabelSet, side: "left" | "right") => {
    const signature = signatureOf(labels, matching);
    const key = JSON.stringify(signature);
    const group = groups.get(key) ?? { key, labels: signature, left: [], right: [] };
    group[side].push(labels);
    groups.set(key, group);
  };
  for (const labels of left) add(labels, "left");
  for (const labels of right) add(labels, "right");
  const weight = (group: MatchGroup) =>
    group.problem.startsWith("too many") ? 0 : group.problem === "no partner" ? 1 : 2;
  return [...groups.values()]
    .map((group) => ({
      ...group,
      problem: problemOf(group.left.length, group.right.length, matching, op),
    }))
    .sort((a, b) => weight(a) - weight(b) || (a.key < b.key ? -1 : 1));
}
