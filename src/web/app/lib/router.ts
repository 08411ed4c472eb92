// SPDX-License-Identifier: Apache-2.0
// Where the user is: the path below <base> and its parameters. The state of a page lives in the URL,
// so that a link shows the same.
import { signal } from "@preact/signals";

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
addEventListener("popstate", () => {
  place.value = read();
});

export function href(path: string, parameters?: URLSearchParams): string {
  const search = parameters?.toString() ?? "";
  return base + path + (search ? `?${search}` : "");
}

export function go(path: string, parameters?: URLSearchParams): void {
  history.pushState(null, "", href(path, parameters));
  place.value = read();
  scrollTo(0, 0);
}

// Changes the URL of this page; a step in the history only if `push` says so.
export function setParameters(parameters: URLSearchParams, push: boolean): void {
  const next = href(place.value.path, parameters);
  if (next === location.pathname + location.search) return;
  if (push) history.pushState(null, "", next);
  else history.replaceState(null, "", next);
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
