// SPDX-License-Identifier: Apache-2.0
import {
  labelChanges,
  onlySorts,
  ruleText,
  ruleYaml,
  stepsTaken,
} from "../../src/web/app/pages/relabel";

test("what a step changed: added, changed, removed", () => {
  expect(labelChanges({ a: "1", b: "2", c: "3" }, { a: "1", b: "x", d: "4" })).toEqual([
    { name: "b", before: "2", after: "x" },
    { name: "c", before: "3", after: undefined },
    { name: "d", before: undefined, after: "4" },
  ]);
});

test("rules as sentences", () => {
  const usual = { separator: ";", regex: "(.*)", replacement: "$1", action: "replace" };
  expect(ruleText({ ...usual, source_labels: ["a"], target_label: "b" })).toBe("set b to a");
  expect(ruleText({ ...usual, target_label: "b", replacement: "x" })).toBe("set b to “x”");
  expect(
    ruleText({ ...usual, source_labels: ["a", "c"], target_label: "b", regex: "(.+):.*" }),
  ).toBe("set b to “$1” from a;c, where it matches (.+):.*");
  expect(ruleText({ ...usual, source_labels: ["a"], regex: "x|y", action: "drop" })).toBe(
    "drop targets whose a matches x|y",
  );
  expect(ruleText({ ...usual, regex: "__meta_(.+)", action: "labelmap" })).toBe(
    "copy labels whose name matches __meta_(.+) to $1",
  );
  expect(ruleText({ action: "new" })).toBe("new");
});

test("a rule as configuration leaves out what is usual", () => {
  expect(
    ruleYaml({
      source_labels: ["a", "b"],
      separator: "/",
      regex: "(.*)",
      target_label: "c",
      replacement: "$1",
      action: "replace",
    }),
  ).toBe('source_labels: [a, b]\nseparator: "/"\ntarget_label: c');
});

test("rules that only sort targets", () => {
  expect(["keep", "drop", "keepequal", "DropEqual"].map((action) => onlySorts({ action }))).toEqual(
    [true, true, true, true],
  );
  expect(onlySorts({ action: "labeldrop" })).toBe(false);
});

test("a target goes no further than the rule that drops it", () => {
  const step = (keep: boolean) => ({ rule: {}, output: {}, keep });
  expect(stepsTaken([step(true), step(false), step(false)])).toHaveLength(2);
  expect(stepsTaken([step(true), step(true)])).toHaveLength(2);
});
