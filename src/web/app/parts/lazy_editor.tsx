// SPDX-License-Identifier: Apache-2.0
// The editor is the largest part of the page; a plain field stands in until it is there. Who types in
// that goes on in the editor, where the cursor was.
import type { FunctionComponent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface EditorProps {
  value: string;
  onChange: (value: string) => void;
  onRun: (value: string) => void;
}
let loaded: FunctionComponent<EditorProps & { cursor?: number | undefined }> | undefined;

export function LazyEditor(props: EditorProps) {
  const [editor, setEditor] = useState(() => loaded);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (loaded) return;
    // Where it cannot be fetched (the server restarts) the plain field serves.
    import("./editor").then(
      (module) => {
        loaded = module.default;
        setEditor(() => loaded);
      },
      () => undefined,
    );
  }, []);
  const Editor = editor;
  if (Editor) {
    const typing = field.current !== null && field.current === document.activeElement;
    return <Editor {...props} cursor={typing ? field.current?.selectionStart : undefined} />;
  }
  return (
    <textarea
      ref={field}
      class="editor plain"
      rows={1}
      value={props.value}
      aria-label="PromQL expression"
      onInput={(event) => props.onChange(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || event.shiftKey) return;
        event.preventDefault();
        props.onRun(event.currentTarget.value);
      }}
    />
  );
}
