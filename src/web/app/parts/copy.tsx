// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";

// Copies a text; shows for a moment that it did.
export function CopyButton(props: { text: string; title?: string }) {
  const [done, setDone] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(props.text).then(() => {
      setDone(true);
      setTimeout(() => setDone(false), 1200);
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
