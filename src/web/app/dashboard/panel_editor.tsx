// SPDX-License-Identifier: Apache-2.0
// Changes one panel: as it looks now, what it asks below, how it is shown beside.
import { useEffect, useState } from "preact/hooks";
import { useLeaveGuard } from "../lib/leave_guard";
import { LazyEditor } from "../parts/lazy_editor";
import { DashboardView } from "./dashboard_view";
import type { Dashboard, Panel, PanelQuery } from "./model";
import { PanelOptions } from "./panel_options";

const queriesMax = 26;
const previewAfterMs = 700; // what is being typed is not asked yet

function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), previewAfterMs);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

function Query(props: {
  query: PanelQuery;
  onChange: (changes: Partial<PanelQuery>) => void;
  onRemove: () => void;
}) {
  const { query, onChange } = props;
  return (
    <div class="panel-query">
      <div class="query-line">
        <b class={query.hidden ? "muted" : ""}>{query.id}</b>
        <LazyEditor
          value={query.expression}
          onChange={(expression) => onChange({ expression })}
          onRun={(expression) => onChange({ expression })}
        />
      </div>
      <div class="option-line wrap">
        <input
          class="legend-input"
          placeholder="Legend: {{instance}}"
          aria-label="Legend template"
          value={query.legend}
          onChange={(e) => onChange({ legend: e.currentTarget.value })}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={query.instant}
            onChange={(e) => onChange({ instant: e.currentTarget.checked })}
          />
          instant
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={query.table === true}
            onChange={(e) => onChange({ table: e.currentTarget.checked })}
          />
          labels as columns
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={query.hidden}
            onChange={(e) => onChange({ hidden: e.currentTarget.checked })}
          />
          off
        </label>
        <span class="grow" />
        <button type="button" class="icon" title="Remove this query" onClick={props.onRemove}>
          ✕
        </button>
      </div>
    </div>
  );
}

const freeId = (queries: PanelQuery[]) =>
  Array.from({ length: queriesMax }, (_, i) => String.fromCharCode(65 + i)).find(
    (id) => !queries.some((q) => q.id === id),
  ) ?? "A";

export function PanelEditor(props: {
  dashboard: Dashboard;
  panel: Panel;
  onDone: (panel?: Panel) => void;
}) {
  const [panel, setPanel] = useState(props.panel);
  useLeaveGuard(panel !== props.panel);
  const set = (changes: Partial<Panel>) => setPanel((old) => ({ ...old, ...changes }));
  const { repeat: _, ...shown } = useSettled(panel);
  return (
    <section aria-label="Edit the panel">
      <div class="toolbar dash-title editor-title">
        <h1>{panel.title || "Panel"}</h1>
        <span class="muted">of {props.dashboard.title}</span>
        <span class="grow" />
        <button type="button" class="primary" onClick={() => props.onDone(panel)}>
          Apply
        </button>
        <button type="button" onClick={() => props.onDone()}>
          Cancel
        </button>
      </div>
      <div class="panel-editor">
        <div>
          <DashboardView
            dashboard={{ ...props.dashboard, panels: [shown] }}
            solo={panel.id}
            actions={{}}
          />
          <div class="panel">
            {panel.type === "text" ? (
              <label>
                Text (Markdown)
                <textarea
                  class="text-source"
                  value={String(panel.options.text ?? "")}
                  onInput={(e) =>
                    set({ options: { ...panel.options, text: e.currentTarget.value } })
                  }
                />
              </label>
            ) : panel.type === "alert-list" ? (
              <label>
                Only alerts with (as in a selector)
                <input
                  placeholder={'severity="critical"'}
                  value={String(panel.options.filter ?? "")}
                  onChange={(e) =>
                    set({ options: { ...panel.options, filter: e.currentTarget.value } })
                  }
                />
              </label>
            ) : (
              <>
                {panel.queries.map((query, at) => (
                  <Query
                    key={query.id}
                    query={query}
                    onChange={(changes) =>
                      setPanel((old) => ({
                        ...old,
                        queries: old.queries.map((q, i) => (i === at ? { ...q, ...changes } : q)),
                      }))
                    }
                    onRemove={() => set({ queries: panel.queries.filter((_, i) => i !== at) })}
                  />
                ))}
                <div class="toolbar">
                  {panel.queries.length < queriesMax && (
                    <button
                      type="button"
                      onClick={() =>
                        set({
                          queries: [
                            ...panel.queries,
                            {
                              id: freeId(panel.queries),
                              expression: "",
                              legend: "",
                              instant: false,
                              hidden: false,
                            },
                          ],
                        })
                      }
                    >
                      + Query
                    </button>
                  )}
                  <label class="check">
                    Shortest step
                    <input
                      class="short"
                      placeholder="auto"
                      value={panel.minStep}
                      onChange={(e) => set({ minStep: e.currentTarget.value })}
                    />
                  </label>
                </div>
              </>
            )}
          </div>
        </div>
        <PanelOptions dashboard={props.dashboard} panel={panel} onChange={setPanel} />
      </div>
    </section>
  );
}
