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
      {done ? "✓" : "⧉"}
    </button>
  );
}
