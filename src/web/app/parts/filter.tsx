// SPDX-License-Identifier: Apache-2.0
import { useLayoutEffect, useRef } from "preact/hooks";

// A search field. "/" puts the cursor into the first one of a page, Escape empties it.
export function Filter(props: {
  value: string;
  onChange: (value: string) => void;
  placeholder: string;
}) {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const at = event.target as Element;
      if (event.key !== "/" || at.closest("input,textarea,select,[contenteditable]")) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  return (
    <input
      ref={input}
      type="search"
      class="filter"
      value={props.value}
      placeholder={`${props.placeholder}  (press /)`}
      aria-label={props.placeholder}
      onInput={(event) => props.onChange(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Escape") props.onChange("");
      }}
    />
  );
}

// Whether all words of the search occur somewhere in the texts.
export function matchesWords(search: string, ...texts: string[]): boolean {
  const all = texts.join("\n").toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}
