// SPDX-License-Identifier: Apache-2.0
import { matchGroups, signatureOf } from "../../src/web/app/explore/match_groups";
import type { Matching } from "../../src/web/app/explore/promql_tree";

const matching = (more: Partial<Matching>): Matching => ({
  card: "one-to-one",
  labels: [],
  on: false,
  include: [],
  ...more,
});
const a1 = { __name__: "x", job: "a", instance: "1" };
const a2 = { __name__: "x", job: "a", instance: "2" };
const b1 = { __name__: "y", job: "b", instance: "1" };

test("what is compared: listed labels, or all but the name and the ignored", () => {
  expect(signatureOf(a1, matching({ on: true, labels: ["job"] }))).toEqual({ job: "a" });
  expect(signatureOf(a1, matching({ labels: ["job"] }))).toEqual({ instance: "1" });
  expect(signatureOf(a1, matching({}))).toEqual({ instance: "1", job: "a" });
});

test("too many on a side is trouble unless the card allows it", () => {
  const on = { on: true, labels: ["job"] };
  const problem = (card: Matching["card"], left: number, right: number) =>
    matchGroups(
      [a1, a2].slice(0, left),
      [a1, a2].slice(0, right),
      matching({ ...on, card }),
      "/",
    )[0]?.problem;
  expect(problem("one-to-one", 1, 1)).toBe("");
  expect(problem("one-to-one", 2, 1)).toBe("too many on the left");
  expect(problem("one-to-one", 1, 2)).toBe("too many on the right");
  expect(problem("one-to-one", 2, 2)).toBe("too many on both");
  expect(problem("many-to-one", 2, 1)).toBe("");
  expect(problem("many-to-one", 1, 2)).toBe("too many on the right");
  expect(problem("one-to-many", 1, 2)).toBe("");
});

test("groups without a partner, by operator; trouble stands first", () => {
  const on = matching({ on: true, labels: ["job"] });
  const groups = matchGroups([a1, a2, b1], [a1], on, "/");
  expect(groups.map((g) => [g.labels.job, g.problem])).toEqual([
    ["a", "too many on the left"],
    ["b", "no partner"],
  ]);
  const many = matching({ on: true, labels: ["job"], card: "many-to-many" });
  expect(matchGroups([b1], [a1], many, "or").map((g) => g.problem)).toEqual(["", ""]);
  expect(matchGroups([b1], [], many, "unless")[0]?.problem).toBe("");
  expect(matchGroups([b1], [], many, "and")[0]?.problem).toBe("no partner");
});
