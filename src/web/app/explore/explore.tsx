// SPDX-License-Identifier: Apache-2.0
// Explore: queries side by side over one time range.
import { useMemo, useState } from "preact/hooks";
import { place, setParameters } from "../lib/router";
import { CopyButton } from "../parts/copy";
import { TimePicker } from "../parts/time_picker";
import { QueryPanel } from "./query_panel";
import { type ExploreState, emptyQuery, queriesMax, readState, writeState } from "./state";

export function Explore() {
  const parameters = place.value.parameters;
  const state = useMemo(() => readState(parameters), [parameters.toString()]);
  const [columns, setColumns] = useState(1);
  const change = (next: Partial<ExploreState>) =>
    setParameters(writeState({ ...state, ...next }), true);
  const zoom = (fromMs: number, toMs: number) =>
    change({ range: { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() } });
  return (
    <main class="wide">
      <div class="toolbar">
        <h1>Explore</h1>
        <span class="grow" />
        <label class="check">
          Step
          <input
            class="short"
            placeholder="auto"
            aria-label="Step in seconds"
            value={state.stepS ?? ""}
            onChange={(e) => {
              const step = Number(e.currentTarget.value);
              change({ stepS: step > 0 ? step : undefined });
            }}
          />
        </label>
        <select
          aria-label="Refresh"
          value={state.refreshS}
          onChange={(e) => change({ refreshS: Number(e.currentTarget.value) })}
        >
          {[0, 5, 15, 30, 60, 300].map((s) => (
            <option key={s} value={s}>
              {s === 0 ? "No refresh" : s < 60 ? `Every ${s} s` : `Every ${s / 60} min`}
            </option>
          ))}
        </select>
        <TimePicker range={state.range} onChange={(range) => change({ range })} />
        <button type="button" title="One or two columns" onClick={() => setColumns(3 - columns)}>
          {columns === 1 ? "▥" : "▤"}
        </button>
        <CopyButton text={location.href} title="Copy a link to this view" />
      </div>
      <div class={columns === 2 ? "two-columns" : ""}>
        {state.queries.map((query, at) => (
          <QueryPanel
            key={at}
            query={query}
            range={state.range}
            stepS={state.stepS}
            refreshS={state.refreshS}
            onZoom={zoom}
            onChange={(changed) =>
              change({ queries: state.queries.map((old, i) => (i === at ? changed : old)) })
            }
            onRemove={
              state.queries.length > 1
                ? () => change({ queries: state.queries.filter((_, i) => i !== at) })
                : undefined
            }
          />
        ))}
      </div>
      {state.queries.length < queriesMax && (
        <button
          type="button"
          onClick={() => change({ queries: [...state.queries, { ...emptyQuery }] })}
        >
          + Add a query
        </button>
      )}
    </main>
  );
}
