// SPDX-License-Identifier: Apache-2.0
import { layout } from "../../src/web/app/dashboard/layout";
import { emptyPanel, type Panel, type Variable } from "../../src/web/app/dashboard/model";
import type { VariableState } from "../../src/web/app/dashboard/variables";

const state = (name: string, ...chosen: string[]): [string, VariableState] => {
  const variable: Variable = {
    name,
    label: "",
    kind: "custom",
    query: "",
    regex: "",
    sort: 0,
    multi: true,
    includeAll: true,
    allValue: "",
    hidden: false,
    chosen,
  };
  const options = ["a", "b", "c"].map((value) => ({ text: value, value }));
  return [name, { variable, options, chosen }];
};
const panel = (id: number, x: number, y: number, more: Partial<Panel> = {}): Panel => ({
  ...emptyPanel(id),
  x,
  y,
  w: 12,
  h: 4,
  ...more,
});
const row = (id: number, y: number, more: Partial<Panel> = {}) =>
  panel(id, 0, y, { type: "row", w: 24, h: 1, ...more });
const shown = (panels: Panel[], states: [string, VariableState][], folded: number[] = []) =>
  layout(panels, new Map(states), new Set(folded)).map((p) => [
    p.key,
    p.panel.x,
    p.panel.y,
    p.panel.w,
  ]);

test("a panel repeats for each chosen value, so many side by side", () => {
  const repeated = panel(1, 0, 0, { repeat: { variable: "v", down: false, perRow: 2 } });
  expect(shown([repeated, panel(2, 0, 4)], [state("v", "a", "b", "c")])).toEqual([
    ["1//a", 0, 0, 12],
    ["1//b", 12, 0, 12],
    ["1//c", 0, 4, 12],
    ["2/", 0, 8, 12],
  ]);
  expect(shown([repeated], [state("v", "$__all")])).toHaveLength(3);
  expect(shown([repeated], [])).toEqual([["1/", 0, 0, 12]]);
});

test("a row repeats with its panels, each with its value", () => {
  const panels = [
    row(1, 0, { repeat: { variable: "v", down: false, perRow: 4 } }),
    panel(2, 0, 1),
    panel(3, 12, 1),
  ];
  const placed = layout(panels, new Map([state("v", "a", "b")]), new Set());
  expect(placed.map((p) => [p.key, p.panel.y])).toEqual([
    ["row1/a", 0],
    ["2/a", 1],
    ["3/a", 1],
    ["row1/b", 5],
    ["2/b", 6],
    ["3/b", 6],
  ]);
  expect(placed[4]?.states.get("v")?.chosen).toEqual(["b"]);
});

test("a folded row hides its panels and lets what follows move up", () => {
  const panels = [row(1, 0), panel(2, 0, 1), row(3, 5), panel(4, 0, 6)];
  expect(shown(panels, [], [1])).toEqual([
    ["row1/", 0, 0, 24],
    ["row3/", 0, 1, 24],
    ["4/", 0, 2, 12],
  ]);
});
