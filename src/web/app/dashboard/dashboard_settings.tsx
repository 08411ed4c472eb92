// SPDX-License-Identifier: Apache-2.0
// What belongs to a dashboard as a whole: title, range, variables, annotations, links, notes.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useLeaveGuard } from "../lib/leave_guard";
import { zone } from "../lib/settings";
import { formatTime } from "../lib/time";
import { Check } from "../parts/check";
import type { AnnotationSource, Dashboard, Link, Variable, VariableKind } from "./model";

const kinds: VariableKind[] = ["query", "custom", "interval", "text", "constant", "adhoc"];
const hints: Record<VariableKind, string> = {
  query: "label_values(up, instance), label_names(), metrics(regex), query_result(topk(5, up))",
  custom: "a, b, Shown text : value",
  interval: "1m, 5m, 1h",
  text: "what it begins with",
  constant: "its value",
  adhoc: "label filters that are added to every query; nothing to fill in",
};
const sorts = [
  "as they come",
  "A to Z",
  "Z to A",
  "by number",
  "by number, down",
  "A to Z, any case",
  "Z to A, any case",
];

function List<Item>(props: {
  title: string;
  items: Item[];
  fresh: () => Item;
  addTitle: string;
  onChange: (items: Item[]) => void;
  show: (item: Item, change: (changes: Partial<Item>) => void) => ComponentChildren;
}) {
  const { items, onChange } = props;
  const move = (at: number, by: number) => {
    const next = [...items];
    const [item] = next.splice(at, 1);
    if (item !== undefined) next.splice(at + by, 0, item);
    onChange(next);
  };
  return (
    <fieldset>
      <legend>{props.title}</legend>
      {items.map((item, at) => (
        <div class="settings-item" key={at}>
          <div class="options-fields grow">
            {props.show(item, (changes) =>
              onChange(items.map((old, i) => (i === at ? { ...old, ...changes } : old))),
            )}
          </div>
          <div class="settings-buttons">
            {at > 0 && (
              <button type="button" class="icon" title="Further up" onClick={() => move(at, -1)}>
                ↑
              </button>
            )}
            <button
              type="button"
              class="icon"
              title="Remove"
              onClick={() => onChange(items.filter((_, i) => i !== at))}
            >
              ✕
            </button>
          </div>
        </div>
      ))}
      <button type="button" onClick={() => onChange([...items, props.fresh()])}>
        + {props.addTitle}
      </button>
    </fieldset>
  );
}

function Field(props: {
  title: string;
  value: string;
  wide?: boolean;
  placeholder?: string;
  onChange: (value: string) => void;
}) {
  return (
    <label class={props.wide ? "wide-field" : ""}>
      {props.title}
      <input
        value={props.value}
        placeholder={props.placeholder}
        onChange={(e) => props.onChange(e.currentTarget.value)}
      />
    </label>
  );
}

function VariableFields(props: {
  variable: Variable;
  change: (changes: Partial<Variable>) => void;
}) {
  const { variable, change } = props;
  const lists = ["query", "custom", "interval"].includes(variable.kind);
  return (
    <>
      <Field
        title="Name"
        value={variable.name}
        onChange={(name) => change({ name: name.replace(/\W+/g, "_") || "name" })}
      />
      <Field title="Label" value={variable.label} onChange={(label) => change({ label })} />
      <label>
        Kind
        <select
          value={variable.kind}
          onChange={(e) => change({ kind: e.currentTarget.value as VariableKind })}
        >
          {kinds.map((kind) => (
            <option key={kind}>{kind}</option>
          ))}
        </select>
      </label>
      {variable.kind !== "adhoc" && (
        <Field
          title="Values"
          wide
          placeholder={hints[variable.kind]}
          value={variable.query}
          onChange={(query) => change({ query })}
        />
      )}
      {variable.kind === "query" && (
        <>
          <Field
            title="Regex that picks from them"
            placeholder="/(.*):\d+/"
            value={variable.regex}
            onChange={(regex) => change({ regex })}
          />
          <label>
            Order
            <select
              value={variable.sort}
              onChange={(e) => change({ sort: Number(e.currentTarget.value) })}
            >
              {sorts.map((title, at) => (
                <option key={title} value={at}>
                  {title}
                </option>
              ))}
            </select>
          </label>
        </>
      )}
      {lists && (
        <>
          <Check
            title="several at once"
            value={variable.multi}
            onChange={(multi) => change({ multi })}
          />
          <Check
            title="with “All”"
            value={variable.includeAll}
            onChange={(includeAll) => change({ includeAll })}
          />
        </>
      )}
      {variable.includeAll && (
        <Field
          title="What “All” stands for"
          placeholder="all values, or .*"
          value={variable.allValue}
          onChange={(allValue) => change({ allValue })}
        />
      )}
      <Check title="hidden" value={variable.hidden} onChange={(hidden) => change({ hidden })} />
    </>
  );
}

function AnnotationFields(props: {
  source: AnnotationSource;
  change: (changes: Partial<AnnotationSource>) => void;
}) {
  const { source, change } = props;
  return (
    <>
      <Field title="Name" value={source.name} onChange={(name) => change({ name })} />
      <Field
        title="Text"
        placeholder="{{alertname}}"
        value={source.title}
        onChange={(title) => change({ title })}
      />
      <Field title="Colour" value={source.color} onChange={(color) => change({ color })} />
      <Field
        title="Marked while this is not 0"
        wide
        placeholder='ALERTS{alertstate="firing"}'
        value={source.expression}
        onChange={(expression) => change({ expression })}
      />
      <Check title="shown" value={source.enabled} onChange={(enabled) => change({ enabled })} />
    </>
  );
}

export function SettingsEditor(props: {
  dashboard: Dashboard;
  onDone: (dashboard?: Dashboard) => void;
}) {
  const [begun] = useState(props.dashboard);
  const [made, setMade] = useState(begun);
  useLeaveGuard(made !== begun);
  const set = (changes: Partial<Dashboard>) => setMade((old) => ({ ...old, ...changes }));
  return (
    <section class="panel settings" aria-label="Settings of the dashboard">
      <fieldset>
        <legend>General</legend>
        <div class="options-fields">
          <Field title="Title" value={made.title} onChange={(title) => set({ title })} />
          <Field
            title="Tags"
            placeholder="a, b"
            value={made.tags.join(", ")}
            onChange={(tags) =>
              set({
                tags: tags
                  .split(",")
                  .map((t) => t.trim())
                  .filter((t) => t !== ""),
              })
            }
          />
          <Field
            title="Range: from"
            value={made.range.from}
            onChange={(from) => set({ range: { ...made.range, from } })}
          />
          <Field
            title="Range: to"
            value={made.range.to}
            onChange={(to) => set({ range: { ...made.range, to } })}
          />
          <Field
            title="Read again every … seconds"
            value={String(made.refreshS)}
            onChange={(s) => set({ refreshS: Math.max(Number(s) || 0, 0) })}
          />
          <Check
            title="Live: new points are pushed"
            value={made.live}
            onChange={(live) => set({ live })}
          />
          <Field
            title="Description"
            wide
            value={made.description}
            onChange={(description) => set({ description })}
          />
        </div>
      </fieldset>
      <List
        title="Variables"
        addTitle="Variable"
        items={made.variables}
        fresh={(): Variable => ({
          name: `variable${made.variables.length + 1}`,
          label: "",
          kind: "query",
          query: "",
          regex: "",
          sort: 1,
          multi: false,
          includeAll: false,
          allValue: "",
          hidden: false,
          chosen: [],
        })}
        onChange={(variables) => set({ variables })}
        show={(variable, change) => <VariableFields variable={variable} change={change} />}
      />
      <List
        title="Annotations from queries"
        addTitle="Annotation"
        items={made.annotations}
        fresh={(): AnnotationSource => ({
          name: "Alerts",
          expression: 'ALERTS{alertstate="firing"}',
          title: "{{alertname}}",
          color: "red",
          enabled: true,
          stepS: 0,
        })}
        onChange={(annotations) => set({ annotations })}
        show={(source, change) => <AnnotationFields source={source} change={change} />}
      />
      <List
        title="Links"
        addTitle="Link"
        items={made.links}
        fresh={(): Link => ({ title: "", url: "https://" })}
        onChange={(links) => set({ links })}
        show={(link, change) => (
          <>
            <Field title="Title" value={link.title} onChange={(title) => change({ title })} />
            {link.tags ? (
              <Field
                title="To dashboards with the tags"
                value={link.tags.join(", ")}
                onChange={(tags) => change({ tags: tags.split(",").map((t) => t.trim()) })}
              />
            ) : (
              <Field title="URL" wide value={link.url} onChange={(url) => change({ url })} />
            )}
          </>
        )}
      />
      {made.notes.length > 0 && (
        <fieldset>
          <legend>Notes</legend>
          {made.notes.map((note, at) => (
            <div class="settings-item" key={at}>
              <span class="grow">
                <b>{formatTime(note.fromMs, zone.value)}</b> {note.text}
              </span>
              <button
                type="button"
                class="icon"
                title="Remove this note"
                onClick={() => set({ notes: made.notes.filter((_, i) => i !== at) })}
              >
                ✕
              </button>
            </div>
          ))}
        </fieldset>
      )}
      <div class="toolbar">
        <button type="button" class="primary" onClick={() => props.onDone(made)}>
          Apply
        </button>
        <button type="button" onClick={() => props.onDone()}>
          Cancel
        </button>
      </div>
    </section>
  );
}
