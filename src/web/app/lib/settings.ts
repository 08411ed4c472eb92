// SPDX-License-Identifier: Apache-2.0
// What a user prefers, kept by the browser: theme, time zone, query history.
import { effect, signal } from "@preact/signals";

function stored<T>(key: string, fallback: T) {
  let first = fallback;
  try {
    const text = localStorage.getItem(`varve.${key}`);
    if (text !== null) first = JSON.parse(text) as T;
  } catch {
    // A browser that keeps nothing still shows everything.
  }
  const value = signal<T>(first);
  effect(() => {
    try {
      localStorage.setItem(`varve.${key}`, JSON.stringify(value.value));
    } catch {
      // As above.
    }
  });
  return value;
}

export type Theme = "system" | "light" | "dark";
export const theme = stored<Theme>("theme", "system");
export const zone = stored<string>("zone", "local");
export const history = stored<string[]>("history", []);
export const labelColumns = stored<boolean>("labelColumns", false); // of tables in Explore

const darkSystem = matchMedia("(prefers-color-scheme: dark)");
export const dark = signal(false);
function applyTheme(): void {
  dark.value = theme.value === "dark" || (theme.value === "system" && darkSystem.matches);
  document.documentElement.dataset.theme = dark.value ? "dark" : "light";
}
effect(applyTheme);
darkSystem.addEventListener("change", applyTheme);

const historyMax = 100;
export function remember(expression: string): void {
  const text = expression.trim();
  if (text === "" || history.value[0] === text) return;
  history.value = [text, ...history.value.filter((old) => old !== text)].slice(0, historyMax);
}
