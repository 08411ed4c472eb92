// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

const marginPx = 8;

// A button with a panel below it, closed by Escape or a click elsewhere. Escape gives the focus back
// to the button.
export function Menu(props: {
  label: ComponentChildren;
  title: string;
  children: (close: () => void) => ComponentChildren;
  alignRight?: boolean;
}) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  // Moved into the window where it would reach beyond its sides.
  useLayoutEffect(() => {
    const element = panel.current;
    if (!element) return;
    const { left, right } = element.getBoundingClientRect();
    // The body's width leaves the scroll bar's gutter out.
    const over = right - (document.body.clientWidth - marginPx);
    const by = Math.max(-Math.max(over, 0), marginPx - left);
    if (over > 0 || left < marginPx) element.style.translate = `${by}px`;
  }, [open]);
  // In the same step as the panel is drawn: who sees it may close it at once.
  useLayoutEffect(() => {
    if (!open) return;
    const onPointer = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      if (root.current?.contains(document.activeElement))
        root.current.querySelector("button")?.focus();
      setOpen(false);
    };
    addEventListener("pointerdown", onPointer);
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("pointerdown", onPointer);
      removeEventListener("keydown", onKey);
    };
  }, [open]);
  return (
    <div class="menu" ref={root}>
      <button type="button" aria-expanded={open} title={props.title} onClick={() => setOpen(!open)}>
        {props.label}
      </button>
      {open && (
        <div ref={panel} class={`menu-panel ${props.alignRight ? "right" : ""}`}>
          {props.children(() => setOpen(false))}
        </div>
      )}
    </div>
  );
}
