// SPDX-License-Identifier: Apache-2.0
import {
  addPanel,
  addRow,
  duplicate,
  nudge,
  panelsOfRow,
  remove,
  removeWithPanels,
  resize,
  settle,
  withPlaces,
} from "../../src/web/app/dashboard/arrange";
import { emptyPanel, type Panel } from "../../src/web/app/dashboard/model";

const panel = (id: number, x: number, y: number, w = 12, h = 8): Panel => ({
  ...emptyPanel(id),
  title: `p${id}`,
  x,
  y,
  w,
  h,
});
const row = (id: number, y: number): Panel => ({ ...panel(id, 0, y, 24, 1), type: "row" });
const places = (panels: Panel[]) =>
  Object.fromEntries(panels.map((p) => [p.id, [p.x, p.y, p.w, p.h]]));
const overlaps = (panels: Panel[]) =>
  panels.some((a) =>
    panels.some(
      (b) =>
        a.id !== b.id && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h,
    ),
  );

const two = [panel(1, 0, 0), panel(2, 12, 0), panel(3, 0, 8), panel(4, 12, 8)];

describe("arranging panels", () => {
  it("moves everything up and lets nothing overlap", () => {
    const settled = settle([panel(1, 0, 5), panel(2, 6, 5), panel(3, 30, 100, 40)]);
    expect(places(settled)).toEqual({ 1: [0, 0, 12, 8], 2: [6, 8, 12, 8], 3: [0, 16, 24, 8] });
    expect(overlaps(settled)).toBe(false);
  });
  it("keeps rows as wide as the grid, as borders", () => {
    const settled = settle([panel(1, 0, 0), row(2, 3), panel(3, 12, 4)]);
    expect(places(settled)).toEqual({ 1: [0, 0, 12, 8], 2: [0, 8, 24, 1], 3: [12, 9, 12, 8] });
  });
  it("takes what was dragged", () => {
    const moved = withPlaces(two, [
      { id: 3, x: 0, y: 0, w: 12, h: 8 },
      { id: 1, x: 0, y: 8, w: 12, h: 8 },
    ]);
    expect(places(moved)).toMatchObject({ 3: [0, 0, 12, 8], 1: [0, 8, 12, 8] });
  });
  it("changes places with the panel below and above", () => {
    const down = nudge(two, 1, 0, 1);
    expect(places(down)).toEqual({
      3: [0, 0, 12, 8],
      1: [0, 8, 12, 8],
      2: [12, 0, 12, 8],
      4: [12, 8, 12, 8],
    });
    expect(places(nudge(down, 1, 0, -1))).toEqual(places(two));
    expect(nudge(two, 3, 0, 1)).toBe(two); // nothing is below
    expect(nudge(two, 1, 0, -1)).toBe(two);
  });
  it("moves by columns, pushing others down, and stays on the grid", () => {
    const right = nudge(two, 1, 1, 0);
    expect(places(right)[1]).toEqual([1, 0, 12, 8]);
    expect(overlaps(right)).toBe(false);
    expect(places(nudge(two, 1, -1, 0))).toEqual(places(two));
  });
  it("resizes within the grid and not to nothing", () => {
    expect(places(resize(two, 2, 1, 0))[2]).toEqual([12, 0, 12, 8]);
    expect(places(resize(two, 1, -30, -30))[1]).toEqual([0, 0, 2, 2]);
    const higher = resize(two, 1, 0, 3);
    expect(places(higher)).toMatchObject({ 1: [0, 0, 12, 11], 3: [0, 11, 12, 8] });
  });
  it("adds a panel on top, a row at the end", () => {
    const added = addPanel(two);
    expect(places(added)).toMatchObject({ 5: [0, 0, 12, 8], 1: [0, 8, 12, 8], 2: [12, 0, 12, 8] });
    expect(places(addRow(two))[5]).toEqual([0, 16, 24, 1]);
  });
  it("duplicates beside where there is room, else below", () => {
    const beside = duplicate([panel(1, 0, 0)], 1);
    expect(places(beside)).toEqual({ 1: [0, 0, 12, 8], 2: [12, 0, 12, 8] });
    const below = duplicate(two, 1);
    expect(places(below)).toMatchObject({ 1: [0, 0, 12, 8], 5: [0, 8, 12, 8], 3: [0, 16, 12, 8] });
    expect(below.find((p) => p.id === 5)?.title).toBe("p1 (copy)");
    expect(overlaps(below)).toBe(false);
  });
  it("removes a row alone or with its panels", () => {
    const rows = [panel(1, 0, 0), row(2, 8), panel(3, 0, 9), row(4, 17), panel(5, 0, 18)];
    expect(panelsOfRow(rows, 2).map((p) => p.id)).toEqual([3]);
    expect(places(remove(rows, 2))[3]).toEqual([0, 8, 12, 8]);
    expect(removeWithPanels(rows, 2).map((p) => p.id)).toEqual([1, 4, 5]);
  });
});
