// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";

// The clipboard proper is there only over TLS and on localhost; elsewhere a selection is copied.
export async function copyText(text: string): Promise<boolean> {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not allowed here: the old way may be.
    }
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "hidden";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

// Copies a text; shows for a moment that it did.
export function CopyButton(props: { text: string; title?: string }) {
  const [done, setDone] = useState(false);
  const copy = () => {
    void copyText(props.text).then((copied) => {
      setDone(copied);
      if (copied) setTimeout(() => setDone(false), 1200);
    });
  };
  return (
    <button
      type="button"
      class="icon"
      title={props.title ?? "Copy"}
      aria-label={props.title ?? "Copy"}
      onClick={copy}
    >
      {done ? "✓" : <CopySign />}
    </button>
  );
}

function CopySign() {
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <rect x="5" y="5" width="9" height="9" rx="2" fill="none" stroke="currentColor" />
      <path d="M3 11H2V4a2 2 0 0 1 2-2h7v1" fill="none" stroke="currentColor" />
    </svg>
  );
}
