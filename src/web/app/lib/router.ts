// SPDX-License-Identifier: Apache-2.0
// Where the user is: the path below <base> and its parameters. The state of a page lives in the URL,
// so that a link shows the same.
import { signal } from "@preact/signals";
import { mayLeave } from "./leave_guard";

export interface Place {
  path: string; // without leading slash: "", "targets", "dashboards/node"
  parameters: URLSearchParams;
}

const base = new URL(document.baseURI).pathname;

function read(): Place {
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : "";
  return { path: path.replace(/\/+$/, ""), parameters: new URLSearchParams(location.search) };
}

export const place = signal<Place>(read());

// Entries of the history are numbered, so that a step that was taken without asking can be undone.
const numberOf = (state: unknown) => (state as { at?: number } | null)?.at ?? 0;
let at = numberOf(history.state);
history.replaceState({ at }, "");
let undoing = false;

function push(url: string): void {
  history.pushState({ at: ++at }, "", url);
  place.value = read();
}

addEventListener("popstate", (event) => {
  if (undoing) {
    undoing = false;
    return;
  }
  const to = numberOf(event.state);
  const next = read();
  if (next.path !== place.value.path && !mayLeave()) {
    undoing = to !== at;
    if (undoing) history.go(at - to);
    return;
  }
  at = to;
  place.value = next;
});

export function href(path: string, parameters?: URLSearchParams): string {
  const search = parameters?.toString() ?? "";
  return base + path + (search ? `?${search}` : "");
}

// To another page; the user is asked first where that loses something, unless `asked`.
export function go(path: string, parameters?: URLSearchParams, asked = false): void {
  if (!asked && path !== place.value.path && !mayLeave()) return;
  push(href(path, parameters));
  scrollTo(0, 0);
}

// Changes the URL of this page; a step in the history only if `step` says so.
export function setParameters(parameters: URLSearchParams, step: boolean): void {
  const next = href(place.value.path, parameters);
  if (next === location.pathname + location.search) return;
  if (step) return push(next);
  history.replaceState({ at }, "", next);
  place.value = read();
}

// Lets links of the page work without loading it anew.
export function followLinks(root: HTMLElement): void {
  root.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest("a");
    if (!link || link.target || link.hasAttribute("download")) return;
    // A place on this page: below <base> its address would be that of the first page.
    const mark = link.getAttribute("href");
    if (mark?.startsWith("#")) {
      event.preventDefault();
      document.getElementById(mark.slice(1))?.focus();
      return;
    }
    const url = new URL(link.href);
    if (url.origin !== location.origin || !url.pathname.startsWith(base)) return;
    const path = url.pathname.slice(base.length);
    if (path.startsWith("api/") || path.startsWith("-/") || path === "metrics") return;
    event.preventDefault();
    go(path, url.searchParams);
  });
}
