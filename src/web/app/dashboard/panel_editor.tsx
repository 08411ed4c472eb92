// SPDX-License-Identifier: Apache-2.0
// Changes one panel: what it asks and how it looks. What has no field here is in the JSON.
import { useState } from "preact/hooks";
import { unitNames } from "../lib/units";
import { LazyEditor } from "../parts/lazy_editor";
import { type FieldStyle, type Panel, type PanelType, panelTypes } from "./model";

const calculations = [
  "last",
  "mean",
  "min",
  "max",
  "sum",
  "count",
  "range",
  "delta",
  "median",
  "first",
];
const oneNumber: PanelType[] = ["stat", "gauge", "bargauge", "pie", "table"];

export function PanelEditor(props: { panel: Panel; onDone: (panel?: Panel) => void }) {
  const [panel, setPanel] = useState(props.panel);
  const set = (changes: Partial<Panel>) => setPanel((old) => ({ ...old, ...changes }));
  const setStyle = (changes: { [Key in keyof FieldStyle]?: FieldStyle[Key] | undefined }) =>
    setPanel((old) => {
      const style: Record<string, unknown> = { ...old.style };
      for (const [key, value] of Object.entries(changes)) {
        if (value === undefined) delete style[key];
        else style[key] = value;
      }
      return { ...old, style: style as FieldStyle };
    });
  const number = (text: string) => (text.trim() === "" ? undefined : Number(text));
  const numberField = (title: string, key: "min" | "max" | "decimals") => (
    <label>
      {title}
      <input
        class="short"
        value={panel.style[key] ?? ""}
        onChange={(e) => setStyle({ [key]: number(e.currentTarget.value) })}
      />
    </label>
  );
  return (
    <section class="panel form" aria-label="Edit the panel">
      <div class="toolbar">
        <label>
          Title
          <input value={panel.title} onInput={(e) => set({ title: e.currentTarget.value })} />
        </label>
        <label>
          Kind
          <select
            value={panel.type}
            onChange={(e) => set({ type: e.currentTarget.value as PanelType })}
          >
            {panelTypes.map((type) => (
              <option key={type}>{type}</option>
            ))}
          </select>
        </label>
        <label>
          Unit
          <select
            value={panel.style.unit ?? "short"}
            onChange={(e) => setStyle({ unit: e.currentTarget.value })}
          >
            {[...new Set([...unitNames, panel.style.unit ?? "short"])].map((unit) => (
              <option key={unit}>{unit}</option>
            ))}
          </select>
        </label>
        {numberField("Min", "min")}
        {numberField("Max", "max")}
        {numberField("Decimals", "decimals")}
        <label>
          Stack
          <select
            value={panel.style.stack ?? "none"}
            onChange={(e) =>
              setStyle({ stack: e.currentTarget.value as "none" | "normal" | "percent" })
            }
          >
            <option>none</option>
            <option>normal</option>
            <option>percent</option>
          </select>
        </label>
        <label>
          Legend
          <select
            value={panel.legend}
            onChange={(e) => set({ legend: e.currentTarget.value as Panel["legend"] })}
          >
            <option>list</option>
            <option>table</option>
            <option>hidden</option>
          </select>
        </label>
        {oneNumber.includes(panel.type) && (
          <label>
            Value
            <select
              value={panel.calculation}
              onChange={(e) => set({ calculation: e.currentTarget.value })}
            >
              {calculations.map((c) => (
                <option key={c}>{c}</option>
              ))}
            </select>
          </label>
        )}
        {(["w", "h", "x", "y"] as const).map((key) => (
          <label key={key}>
            {{ w: "Width", h: "Height", x: "Column", y: "Row" }[key]}
            <input
              class="short"
              type="number"
              min={key === "w" || key === "h" ? 1 : 0}
              max={key === "w" || key === "x" ? 24 : 10_000}
              value={panel[key]}
              onChange={(e) => set({ [key]: Number(e.currentTarget.value) })}
            />
          </label>
        ))}
      </div>
      {panel.type === "text" ? (
        <label>
          Text
          <textarea
            value={String(panel.options.text ?? "")}
            onInput={(e) => set({ options: { ...panel.options, text: e.currentTarget.value } })}
          />
        </label>
      ) : (
        panel.queries.map((query, at) => {
          const change = (changes: Partial<typeof query>) =>
            set({ queries: panel.queries.map((q, i) => (i === at ? { ...q, ...changes } : q)) });
          return (
            <div key={query.id}>
              <div class="query-line">
                <b>{query.id}</b>
                <LazyEditor
                  value={query.expression}
                  onChange={(expression) => change({ expression })}
                  onRun={(expression) => change({ expression })}
                />
                <input
                  class="legend-input"
                  placeholder="Legend: {{instance}}"
                  aria-label="Legend template"
                  value={query.legend}
                  onInput={(e) => change({ legend: e.currentTarget.value })}
                />
                <label class="check">
                  <input
                    type="checkbox"
                    checked={query.instant}
                    onChange={(e) => change({ instant: e.currentTarget.checked })}
                  />
                  instant
                </label>
                <button
                  type="button"
                  class="icon"
                  title="Remove this query"
                  onClick={() => set({ queries: panel.queries.filter((_, i) => i !== at) })}
                >
                  ✕
                </button>
              </div>
            </div>
          );
        })
      )}
      <div class="toolbar">
        {panel.type !== "text" && panel.queries.length < 26 && (
          <button
            type="button"
            onClick={() => {
              const id = String.fromCharCode(65 + panel.queries.length);
              const fresh = { id, expression: "", legend: "", instant: false, hidden: false };
              set({ queries: [...panel.queries, fresh] });
            }}
          >
            + Query
          </button>
        )}
        <span class="grow" />
        <button type="button" class="primary" onClick={() => props.onDone(panel)}>
          Apply
        </button>
        <button type="button" onClick={() => props.onDone()}>
          Cancel
        </button>
      </div>
    </section>
  );
}
