// SPDX-License-Identifier: Apache-2.0
// Dragging and resizing by pointer: gridstack over the grid's own elements. Loaded when somebody
// arranges panels, not before.
import { GridStack, type GridStackNode } from "gridstack";
import { columns, type Place } from "./arrange";
import { rowHeightPx } from "./layout";

export interface GridDrag {
  // After the elements have changed: takes in new ones, moves those that stand elsewhere now.
  follow: (places: Place[]) => void;
  end: () => void;
}

// No dashboard is so high.
const farBelow = 100_000;

const idOf = (element: Element) => Number(element.getAttribute("gs-id"));

// `root` has a child of class grid-stack-item for each panel, with gs-id, gs-x, gs-y, gs-w, gs-h.
export function startDrag(
  root: HTMLElement,
  onPlaces: (places: Place[]) => void,
): GridDrag | undefined {
  let following = false;
  const grid = GridStack.init(
    {
      column: columns,
      cellHeight: rowHeightPx,
      margin: 4,
      animate: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      handle: ".drag-handle",
      resizable: { handles: "e,se,s" },
      alwaysShowResizeHandle: true,
    },
    root,
  );
  if (!grid) return undefined;
  grid.on("change", () => {
    if (following) return;
    onPlaces(
      grid.engine.nodes.flatMap((node: GridStackNode) =>
        node.el
          ? [{ id: idOf(node.el), x: node.x ?? 0, y: node.y ?? 0, w: node.w ?? 1, h: node.h ?? 1 }]
          : [],
      ),
    );
  });
  return {
    follow(places) {
      following = true;
      for (const node of [...grid.engine.nodes]) {
        if (node.el && !node.el.isConnected) grid.removeWidget(node.el, false, false);
      }
      const elsewhere = places.flatMap((place) => {
        const element = root.querySelector<HTMLElement>(`:scope > [gs-id="${place.id}"]`);
        const node = grid.engine.nodes.find((n) => n.el === element);
        if (element && !node) grid.makeWidget(element);
        const { x, y, w, h } = place;
        const there =
          !element || (node && node.x === x && node.y === y && node.w === w && node.h === h);
        return there ? [] : [{ element, place }];
      });
      if (elsewhere.length > 0) {
        // One after another they would push each other: all out of the way first, far below.
        grid.batchUpdate();
        grid.mode("float");
        places.forEach(({ id }, at) => {
          const element = root.querySelector<HTMLElement>(`:scope > [gs-id="${id}"]`);
          if (element) grid.update(element, { x: 0, y: farBelow * (at + 1) });
        });
        for (const { id, x, y, w, h } of places) {
          const element = root.querySelector<HTMLElement>(`:scope > [gs-id="${id}"]`);
          if (element) grid.update(element, { x, y, w, h });
        }
        grid.mode("top");
        grid.batchUpdate(false);
      }
      following = false;
    },
    end() {
      following = true;
      const elements = grid.getGridItems();
      grid.destroy(false);
      for (const element of [...elements, root]) {
        for (const name of [...element.style]) {
          if (name.startsWith("--gs-")) element.style.removeProperty(name);
        }
        for (const name of ["top", "left", "width", "height", "min-height", "position"]) {
          element.style.removeProperty(name);
        }
      }
    },
  };
}
