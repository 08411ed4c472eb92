// SPDX-License-Identifier: Apache-2.0
// Asks for the text of a note on the time axis.
import { useEffect, useRef, useState } from "preact/hooks";
import { zone } from "../lib/settings";
import { formatTime, parsePoint } from "../lib/time";
import type { HandAnnotation } from "./model";

export function NoteDialog(props: {
  note: HandAnnotation;
  onDone: (note?: HandAnnotation) => void;
}) {
  const { note } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState(note.text);
  const [from, setFrom] = useState(formatTime(note.fromMs, zone.value));
  const [to, setTo] = useState(formatTime(note.toMs, zone.value));
  useEffect(() => dialog.current?.showModal(), []);
  const fromMs = parsePoint(from, Date.now(), zone.value);
  const toMs = parsePoint(to, Date.now(), zone.value);
  const good = fromMs !== undefined && toMs !== undefined && fromMs <= toMs && text.trim() !== "";
  return (
    <dialog ref={dialog} class="dialog" onClose={() => props.onDone()} aria-label="A note">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (good) props.onDone({ fromMs, toMs, text: text.trim() });
        }}
      >
        <h2>A note on the time axis</h2>
        <label>
          What happened
          <textarea
            value={text}
            placeholder="Deployed 2.4"
            onInput={(e) => setText(e.currentTarget.value)}
          />
        </label>
        <label>
          From
          <input value={from} onInput={(e) => setFrom(e.currentTarget.value)} />
        </label>
        <label>
          To (the same for a moment)
          <input value={to} onInput={(e) => setTo(e.currentTarget.value)} />
        </label>
        <div class="toolbar">
          <button type="submit" class="primary" disabled={!good}>
            Save
          </button>
          <button type="button" onClick={() => props.onDone()}>
            Cancel
          </button>
          <span class="muted">Shown on all charts of this dashboard.</span>
        </div>
      </form>
    </dialog>
  );
}
