// SPDX-License-Identifier: Apache-2.0
// The PromQL editor: highlighting, completion from the server's metrics and labels, inline errors.
// Enter runs, Shift-Enter breaks the line, Up at the start of an empty line goes back in history.
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { lintKeymap } from "@codemirror/lint";
import { Annotation, Compartment, EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { pageOptions } from "../lib/options";
import { dark } from "../lib/settings";

const colors = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)", fontWeight: "600" },
  { tag: tags.function(tags.variableName), color: "var(--code-function)" },
  { tag: tags.labelName, color: "var(--code-label)" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: tags.number, color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: tags.operator, color: "var(--code-keyword)" },
  { tag: tags.modifier, color: "var(--code-keyword)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

function breakLine(view: EditorView): boolean {
  view.dispatch(view.state.replaceSelection("\n"));
  return true;
}

const base = new URL(document.baseURI).pathname.replace(/\/$/, "");
// One for the page: its cache of names and labels serves every editor.
const promql = new PromQLExtension().setComplete({
  remote: { url: base, cache: { initialMetricList: [] } },
});

// Marks a text that came from outside, so that it is not reported as typed.
const fromOutside = Annotation.define<boolean>();

export default function Editor(props: {
  value: string;
  onChange: (value: string) => void;
  onRun: (value: string) => void;
  cursor?: number | undefined; // where one that has the focus from the start has its cursor
}) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  latest.current = props;
  // What was typed and has not come back as `value` yet. A fast typist is ahead of it; to take its
  // older texts for new ones would throw letters away and never come to rest.
  const typed = useRef<string[]>([]);
  const isDark = dark.value;
  const theme = useRef(new Compartment());

  // In the same step as it is drawn: no key is lost to the field that stood here.
  useLayoutEffect(() => {
    const parent = box.current;
    if (!parent) return;
    const { value, cursor } = latest.current;
    const made = new EditorView({
      parent,
      state: EditorState.create({
        doc: value,
        selection: { anchor: Math.min(cursor ?? 0, value.length) },
        extensions: [
          history(),
          closeBrackets(),
          bracketMatching(),
          autocompletion({ maxRenderedOptions: 100 }),
          syntaxHighlighting(colors),
          promql.asExtension(),
          placeholder("Expression, for example rate(http_requests_total[5m])"),
          EditorView.lineWrapping,
          EditorView.cspNonce.of(pageOptions.nonce),
          EditorView.contentAttributes.of({
            "aria-label": "PromQL expression",
            spellcheck: "false",
          }),
          theme.current.of(EditorView.theme({}, { dark: dark.value })),
          EditorView.updateListener.of((update) => {
            if (!update.docChanged || update.transactions.some((t) => t.annotation(fromOutside))) {
              return;
            }
            const text = update.state.doc.toString();
            typed.current.push(text);
            latest.current.onChange(text);
          }),
          Prec.highest(
            keymap.of([
              {
                key: "Shift-Enter",
                run: breakLine,
              },
            ]),
          ),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap]),
          keymap.of([
            {
              key: "Enter",
              run: (v) => {
                latest.current.onRun(v.state.doc.toString());
                return true;
              },
            },
            {
              // So that Tab and the keys of the page work again.
              key: "Escape",
              run: (v) => {
                v.contentDOM.blur();
                return true;
              },
            },
            ...historyKeymap,
            ...defaultKeymap,
          ]),
        ],
      }),
    });
    view.current = made;
    if (cursor !== undefined) made.focus();
    return () => made.destroy();
  }, []);

  useEffect(() => {
    view.current?.dispatch({
      effects: theme.current.reconfigure(EditorView.theme({}, { dark: isDark })),
    });
  }, [isDark]);

  useEffect(() => {
    const v = view.current;
    if (!v) return;
    const echo = typed.current.indexOf(props.value);
    const same = v.state.doc.toString() === props.value;
    typed.current = echo < 0 || same ? [] : typed.current.slice(echo + 1);
    if (echo >= 0 || same) return;
    v.dispatch({
      changes: { from: 0, to: v.state.doc.length, insert: props.value },
      annotations: fromOutside.of(true),
    });
  }, [props.value]);

  return <div class="editor" ref={box} />;
}
