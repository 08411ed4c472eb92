// SPDX-License-Identifier: Apache-2.0
// Keyboard shortcuts and the page that lists them.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { KeyReader, pageKeys } from "../lib/keys";
import { refreshAsked } from "../lib/load";
import { go } from "../lib/router";

export interface PageKey {
  key: string; // after g
  path: string;
  title: string;
}

const others: [string, string][] = [
  ["?", "this list"],
  ["/", "to the search field, or to the editor"],
  ["r", "load again now"],
  ["t", "light, dark, or as the system"],
  ["Esc", "close; empty a search; leave the editor"],
];
const inEditor: [string, string][] = [
  ["Enter", "run"],
  ["Shift Enter", "new line"],
  ["Ctrl Space", "complete"],
];
const onDashboard: [string, string][] = [
  ["e", "arrange the panels, and back"],
  ["k", "kiosk: the panels alone; Esc leaves it"],
  ["Ctrl drag", "on a graph: a note on the time axis"],
  ["← → ↑ ↓", "on a panel's handle: move it"],
  ["Shift ←", "and the other arrows on the handle: its size"],
];
const onGraph: [string, string][] = [
  ["drag", "zoom in; the browser's Back returns"],
  ["click", "on a name: this series alone; again: all"],
  ["Ctrl click", "on a name: hide or show it"],
];

function isTyping(event: KeyboardEvent): boolean {
  return (event.target as Element).closest("input,textarea,select,[contenteditable]") !== null;
}

function Keys(props: { title: string; rows: [string, string][] }) {
  return (
    <section>
      <h3>{props.title}</h3>
      <dl class="keys">
        {props.rows.map(([keys, text]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function Shortcuts(props: { pages: PageKey[]; turnTheme: () => void }) {
  const { pages } = props;
  const [open, setOpen] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  const latest = useRef(props);
  latest.current = props;
  useLayoutEffect(() => {
    const reader = new KeyReader();
    const onKey = (event: KeyboardEvent) => {
      const asked = reader.press(event, isTyping(event), event.timeStamp);
      if (asked === undefined || event.defaultPrevented || document.querySelector("dialog[open]")) {
        return;
      }
      const page = latest.current.pages.find(({ key }) => asked === `g ${key}`);
      if (page) go(page.path);
      else if (asked === "?") setOpen(true);
      else if (asked === "r") ++refreshAsked.value;
      else if (asked === "t") latest.current.turnTheme();
      else if (asked === "/") {
        // Filters listen themselves; without one the editor is meant.
        if (document.querySelector(".filter")) return;
        document.querySelector<HTMLElement>(".cm-content, textarea.editor")?.focus();
      } else {
        const onPage = pageKeys.get(asked);
        if (!onPage) return;
        onPage();
      }
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => {
    if (open) dialog.current?.showModal();
  }, [open]);
  return (
    <>
      <button
        type="button"
        class="icon"
        title="Keyboard shortcuts (?)"
        aria-label="Keyboard shortcuts"
        onClick={() => setOpen(true)}
      >
        ?
      </button>
      {open && (
        <dialog ref={dialog} aria-label="Keyboard shortcuts" onClose={() => setOpen(false)}>
          <div class="panel-head">
            <h2>Keyboard shortcuts</h2>
            <span class="grow" />
            <button
              type="button"
              class="icon"
              aria-label="Close"
              onClick={() => dialog.current?.close()}
            >
              ✕
            </button>
          </div>
          <div class="key-columns">
            <Keys title="Everywhere" rows={others} />
            <Keys
              title="Go to"
              rows={pages.map(({ key, title }): [string, string] => [`g ${key}`, title])}
            />
            <Keys title="In the editor" rows={inEditor} />
            <Keys title="On a graph" rows={onGraph} />
            <Keys title="On a dashboard" rows={onDashboard} />
          </div>
        </dialog>
      )}
    </>
  );
}
