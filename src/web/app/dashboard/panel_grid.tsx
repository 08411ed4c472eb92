// SPDX-License-Identifier: Apache-2.0
// The panels where they stand: a CSS grid to look at, the same elements under gridstack to arrange
// them. On a phone they stand below each other and are arranged by the menu and the keyboard alone.
import "gridstack/dist/gridstack.css";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Menu } from "../parts/menu";
import { Notice } from "../parts/notice";
import { nudge, panelsOfRow, remove, removeWithPanels, resize, withPlaces } from "./arrange";
import type { GridDrag } from "./grid_drag";
import { type Placed, rowHeightPx } from "./layout";
import type { Panel } from "./model";
import type { View } from "./panel_data";
import { type PanelActions, PanelFrame } from "./panel_frame";
import { interpolate } from "./variables";

const smallTypes = ["stat", "gauge"];
const smallWidth = 8; // of 24 columns

const narrow = matchMedia("(max-width: 48rem)");

function useNarrow(): boolean {
  const [is, set] = useState(narrow.matches);
  useEffect(() => {
    const follow = () => set(narrow.matches);
    narrow.addEventListener("change", follow);
    return () => narrow.removeEventListener("change", follow);
  }, []);
  return is;
}

// What can be done with panels; absent where the dashboard is only looked at.
export interface Arranging {
  panels: Panel[];
  change: (panels: Panel[]) => void;
}

// Moves and sizes a panel by the keyboard.
function Handle(props: { panel: Panel; arranging: Arranging }) {
  const { panel, arranging } = props;
  const name = panel.title || panel.type;
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[
      event.key
    ];
    if (!step) return;
    event.preventDefault();
    const [dx = 0, dy = 0] = step;
    arranging.change(
      event.shiftKey
        ? resize(arranging.panels, panel.id, dx, dy)
        : nudge(arranging.panels, panel.id, dx, dy),
    );
  };
  return (
    <span
      class="drag-handle"
      role="button"
      tabIndex={0}
      title="Drag to move. Keyboard: arrows move, Shift and arrows resize."
      aria-label={`Move ${name}: arrow keys move, Shift and arrow keys resize`}
      onKeyDown={onKeyDown}
    >
      ⠿
    </span>
  );
}

function RowHead(props: {
  panel: Panel;
  title: string;
  isFolded: boolean;
  onFold: () => void;
  arranging: Arranging | undefined;
}) {
  const { panel, title, isFolded, arranging } = props;
  const change = (changes: Partial<Panel>) =>
    arranging?.change(arranging.panels.map((p) => (p.id === panel.id ? { ...p, ...changes } : p)));
  if (!arranging) {
    return (
      <button type="button" class="row-title" aria-expanded={!isFolded} onClick={props.onFold}>
        <span class="fold-sign" aria-hidden="true">
          {isFolded ? "▸" : "▾"}
        </span>
        {title}
      </button>
    );
  }
  const inside = panelsOfRow(arranging.panels, panel.id).length;
  return (
    <div class="row-edit">
      <Handle panel={panel} arranging={arranging} />
      <input
        value={panel.title}
        aria-label="Title of the row"
        onInput={(e) => change({ title: e.currentTarget.value })}
      />
      <label class="check">
        <input
          type="checkbox"
          checked={panel.collapsed === true}
          onChange={(e) => change({ collapsed: e.currentTarget.checked })}
        />
        starts folded
      </label>
      <span class="grow" />
      <Menu label="Remove" title="Remove this row" alignRight>
        {(close) => (
          <div class="menu-list">
            <button
              type="button"
              onClick={() => {
                close();
                arranging.change(remove(arranging.panels, panel.id));
              }}
            >
              The row alone
            </button>
            <button
              type="button"
              onClick={() => {
                close();
                arranging.change(removeWithPanels(arranging.panels, panel.id));
              }}
            >
              The row and its {inside} panels
            </button>
          </div>
        )}
      </Menu>
    </div>
  );
}

export function PanelGrid(props: {
  placed: Placed[];
  view: Omit<View, "states">;
  folded: ReadonlySet<number>;
  onFold: (id: number) => void;
  arranging: Arranging | undefined;
  actions: PanelActions | undefined;
}) {
  const { placed, view, folded, arranging, actions } = props;
  const root = useRef<HTMLDivElement>(null);
  const drag = useRef<GridDrag | undefined>(undefined);
  const latest = useRef(arranging);
  latest.current = arranging;
  const isNarrow = useNarrow();
  const isArranged = arranging !== undefined;
  const [failed, setFailed] = useState(false);
  const dragging = isArranged && !isNarrow && !failed;
  const places = placed.map(({ panel: { id, x, y, w, h } }) => ({ id, x, y, w, h }));

  useEffect(() => setFailed(false), [isArranged]);
  useLayoutEffect(() => {
    const element = root.current;
    if (!dragging || !element) return;
    let ended = false;
    import("./grid_drag").then(
      ({ startDrag }) => {
        if (ended) return;
        drag.current = startDrag(element, (moved) => {
          const now = latest.current;
          now?.change(withPlaces(now.panels, moved));
        });
      },
      () => {
        if (!ended) setFailed(true);
      },
    );
    return () => {
      ended = true;
      drag.current?.end();
      drag.current = undefined;
    };
  }, [dragging]);
  useEffect(() => drag.current?.follow(places));

  return (
    <>
      {failed && (
        <Notice kind="error">
          Panels cannot be dragged: that part of the page could not be fetched. The arrow keys on a
          panel's handle move it all the same.{" "}
          <button type="button" class="link" onClick={() => setFailed(false)}>
            Try again
          </button>
        </Notice>
      )}
      <div class={dragging ? "grid grid-stack arranging" : "grid"} ref={root}>
        {placed.map(({ panel, key, states }) => {
          const { x, y, w, h } = panel;
          const at = dragging
            ? {
                "gs-id": panel.id,
                "gs-x": x,
                "gs-y": y,
                "gs-w": w,
                "gs-h": h,
                "gs-min-w": 2,
                "gs-min-h": panel.type === "row" ? 1 : 2,
                ...(panel.type === "row" ? { "gs-no-resize": "true" } : {}),
                style: {},
              }
            : {
                style: {
                  gridColumn: `${x + 1} / span ${w}`,
                  gridRow: `${y + 1} / span ${h}`,
                  "--height": `${h * rowHeightPx - 8}px`, // where they stand below each other
                },
              };
          // On a phone two of these stand side by side.
          const small = panel.w <= smallWidth && smallTypes.includes(panel.type) ? " small" : "";
          const kind = panel.type === "row" ? "grid-row" : `grid-item${small}`;
          return (
            <div class={dragging ? `${kind} grid-stack-item` : kind} key={key} {...at}>
              <div class={dragging ? "grid-body grid-stack-item-content" : "grid-body"}>
                {panel.type === "row" ? (
                  <RowHead
                    panel={panel}
                    title={interpolate(
                      panel.title,
                      states,
                      { ...view.range, stepS: 15, scrapeIntervalS: 15 },
                      false,
                    )}
                    isFolded={folded.has(panel.id)}
                    onFold={() => props.onFold(panel.id)}
                    arranging={arranging}
                  />
                ) : (
                  <PanelFrame
                    panel={panel}
                    view={{ ...view, states }}
                    handle={arranging && <Handle panel={panel} arranging={arranging} />}
                    actions={actions}
                  />
                )}
              </div>
            </div>
          );
        })}
      </div>
    </>
  );
}
