// SPDX-License-Identifier: Apache-2.0
// From the panels of a dashboard to what stands where: repeats multiplied, collapsed rows folded,
// gaps closed upwards.
import { allValues, type Panel } from "./model";
import { type VariableState, type VariableStates, valuesOf } from "./variables";

export interface Placed {
  panel: Panel;
  key: string;
  states: VariableStates; // with the repeated variable narrowed to one value
  row: Panel | undefined; // the row it belongs to
}

export const rowHeightPx = 36;

function narrowed(states: VariableStates, state: VariableState, value: string): VariableStates {
  return new Map([...states, [state.variable.name, { ...state, chosen: [value] }]]);
}

function repeat(placed: Placed): Placed[] {
  const { panel, states } = placed;
  const state = panel.repeat && states.get(panel.repeat.variable);
  if (!panel.repeat || !state) return [placed];
  const values = valuesOf(state).filter((v) => v !== allValues);
  if (values.length === 0) return [placed];
  const perRow = panel.repeat.down ? 1 : Math.min(panel.repeat.perRow, values.length);
  const w = panel.repeat.down ? panel.w : Math.floor(24 / perRow);
  return values.slice(0, 100).map((value, at) => ({
    ...placed,
    key: `${placed.key}/${value}`,
    states: narrowed(states, state, value),
    panel: {
      ...panel,
      w,
      x: panel.repeat?.down ? panel.x : (at % perRow) * w,
      y: panel.y + Math.floor(at / perRow) * panel.h,
    },
  }));
}

// Moves everything up as far as what stands above it allows, in order of y.
export function compact(items: Placed[]): Placed[] {
  const heights = new Array<number>(24).fill(0);
  return [...items]
    .sort((a, b) => a.panel.y - b.panel.y || a.panel.x - b.panel.x)
    .map((item) => {
      const { x, w, h } = item.panel;
      const y = Math.max(...heights.slice(x, x + w), 0);
      heights.fill(y + h, x, x + w);
      return { ...item, panel: { ...item.panel, y } };
    });
}

export function layout(
  panels: Panel[],
  states: VariableStates,
  folded: ReadonlySet<number>,
): Placed[] {
  const ordered = [...panels].sort((a, b) => a.y - b.y || a.x - b.x);
  const placed: Placed[] = [];
  let group: Panel[] = [];
  let row: Panel | undefined;
  const flush = () => {
    const rowState = row?.repeat && states.get(row.repeat.variable);
    const turns =
      row?.repeat && rowState
        ? valuesOf(rowState).map((v) => ({ v, s: narrowed(states, rowState, v) }))
        : [{ v: "", s: states }];
    const bottom = Math.max(...group.map((p) => p.y + p.h), row ? row.y + 1 : 0);
    const span = bottom - (row?.y ?? 0);
    turns.slice(0, 50).forEach(({ v, s }, turn) => {
      const down = turn * span;
      if (row) {
        placed.push({
          panel: { ...row, x: 0, w: 24, h: 1, y: row.y + down },
          key: `row${row.id}/${v}`,
          states: s,
          row: undefined,
        });
      }
      if (row && folded.has(row.id)) return;
      for (const panel of group) {
        const moved = { ...panel, y: panel.y + down };
        placed.push(...repeat({ panel: moved, key: `${panel.id}/${v}`, states: s, row }));
      }
    });
    group = [];
  };
  for (const panel of ordered) {
    if (panel.type === "row") {
      flush();
      row = panel;
    } else {
      group.push(panel);
    }
  }
  flush();
  // Rows of repeats push each other down: order by row first, then close the gaps.
  const order = new Map(placed.map((p, at) => [p, at]));
  const groups: Placed[][] = [];
  for (const item of placed) {
    if (item.panel.type === "row" || groups.length === 0) groups.push([]);
    groups.at(-1)?.push(item);
  }
  let base = 0;
  return groups.flatMap((items) => {
    const closed = compact(items.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)));
    const height = Math.max(0, ...closed.map((i) => i.panel.y + i.panel.h));
    const moved = closed.map((i) => ({ ...i, panel: { ...i.panel, y: i.panel.y + base } }));
    base += height;
    return moved;
  });
}
