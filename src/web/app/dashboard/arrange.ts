// SPDX-License-Identifier: Apache-2.0
// Changes to where panels stand on the grid: 24 columns, everything as far up as it goes. All are
// pure: panels in, panels out.
import { emptyPanel, type Panel } from "./model";

export const columns = 24;
const smallest = { w: 2, h: 2 };

export interface Place {
  id: number;
  x: number;
  y: number;
  w: number;
  h: number;
}

const clamp = (value: number, min: number, max: number) => Math.min(Math.max(value, min), max);

// Everything as far up as what stands above it allows; nothing overlaps. Of panels that begin in one
// row the one called `first` goes before.
export function settle(panels: Panel[], first?: number): Panel[] {
  const heights = new Array<number>(columns).fill(0);
  return [...panels]
    .sort((a, b) => a.y - b.y || Number(b.id === first) - Number(a.id === first) || a.x - b.x)
    .map((panel) => {
      const w = panel.type === "row" ? columns : clamp(panel.w, 1, columns);
      const x = panel.type === "row" ? 0 : clamp(panel.x, 0, columns - w);
      const h = panel.type === "row" ? 1 : panel.h;
      const y = Math.max(...heights.slice(x, x + w));
      heights.fill(y + h, x, x + w);
      return { ...panel, x, y, w, h };
    });
}

// What was dragged or resized.
export function withPlaces(panels: Panel[], places: Place[]): Panel[] {
  const byId = new Map(places.map((p) => [p.id, p]));
  return settle(
    panels.map((panel) => {
      const place = byId.get(panel.id);
      return place ? { ...panel, x: place.x, y: place.y, w: place.w, h: place.h } : panel;
    }),
  );
}

const overlapX = (a: Panel, b: Panel) => a.x < b.x + b.w && b.x < a.x + a.w;

// One step by the keyboard. Left and right move by columns; up and down change places with the next
// panel there, as gravity would undo less.
export function nudge(panels: Panel[], id: number, dx: number, dy: number): Panel[] {
  const settled = settle(panels);
  const moved = settled.find((p) => p.id === id);
  if (!moved) return panels;
  let { x, y } = moved;
  if (moved.type !== "row") x = clamp(x + dx, 0, columns - moved.w);
  if (dy > 0) {
    const below = settled
      .filter((p) => p !== moved && overlapX(p, moved) && p.y >= moved.y + moved.h)
      .sort((a, b) => a.y - b.y)[0];
    if (!below) return panels;
    y = below.y + 0.5;
  } else if (dy < 0) {
    const above = settled
      .filter((p) => p !== moved && overlapX(p, moved) && p.y < moved.y)
      .sort((a, b) => b.y - a.y)[0];
    if (!above) return panels;
    y = above.y - 0.5;
  }
  return settle(
    settled.map((p) => (p === moved ? { ...p, x, y } : p)),
    id,
  );
}

export function resize(panels: Panel[], id: number, dw: number, dh: number): Panel[] {
  return settle(
    panels.map((p) =>
      p.id === id && p.type !== "row"
        ? {
            ...p,
            w: clamp(p.w + dw, smallest.w, columns - p.x),
            h: clamp(p.h + dh, smallest.h, 100),
          }
        : p,
    ),
    id,
  );
}

export const freshId = (panels: Panel[]): number => 1 + Math.max(0, ...panels.map((p) => p.id));

// A new panel stands first, where it is seen at once.
export function addPanel(panels: Panel[], changes: Partial<Panel> = {}): Panel[] {
  const id = freshId(panels);
  return settle([...panels, { ...emptyPanel(id), ...changes, id, x: 0, y: -1 }], id);
}

export function addRow(panels: Panel[]): Panel[] {
  const id = freshId(panels);
  const bottom = Math.max(0, ...panels.map((p) => p.y + p.h));
  const row: Panel = { ...emptyPanel(id), type: "row", title: "New row", queries: [] };
  return settle([...panels, { ...row, x: 0, y: bottom, w: columns, h: 1 }]);
}

// Beside the original where there is room, else below.
export function duplicate(panels: Panel[], id: number): Panel[] {
  const settled = settle(panels);
  const original = settled.find((p) => p.id === id);
  if (!original) return panels;
  const copy = structuredClone(original);
  copy.id = freshId(panels);
  if (original.title) copy.title = `${original.title} (copy)`;
  const beside = original.x + 2 * original.w <= columns;
  const free =
    beside &&
    !settled.some(
      (p) =>
        p.y < original.y + original.h &&
        original.y < p.y + p.h &&
        p.x < original.x + 2 * original.w &&
        original.x + original.w < p.x + p.w,
    );
  if (free) copy.x = original.x + original.w;
  else copy.y = original.y + original.h - 0.5;
  return settle([...settled, copy], copy.id);
}

// A row goes alone: its panels belong to the row above then.
export function remove(panels: Panel[], id: number): Panel[] {
  return settle(panels.filter((p) => p.id !== id));
}

// The panels of a row: those below it up to the next row.
export function panelsOfRow(panels: Panel[], id: number): Panel[] {
  const ordered = settle(panels);
  const at = ordered.findIndex((p) => p.id === id);
  if (at < 0) return [];
  const rest = ordered.slice(at + 1);
  const end = rest.findIndex((p) => p.type === "row");
  return end < 0 ? rest : rest.slice(0, end);
}

export function removeWithPanels(panels: Panel[], id: number): Panel[] {
  const gone = new Set([id, ...panelsOfRow(panels, id).map((p) => p.id)]);
  return settle(panels.filter((p) => !gone.has(p.id)));
}
