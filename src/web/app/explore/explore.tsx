// SPDX-License-Identifier: Apache-2.0
// Explore: queries side by side over one time range.
import { useMemo } from "preact/hooks";
import { href, place, setParameters } from "../lib/router";
import { zone } from "../lib/settings";
import { isRelative, resolveRange } from "../lib/time";
import { copyText } from "../parts/copy";
import { Menu } from "../parts/menu";
import { describeRange, TimePicker } from "../parts/time_picker";
import { QueryPanel } from "./query_panel";
import {
  type ExploreState,
  emptyQuery,
  fixedState,
  queriesMax,
  readState,
  writeState,
} from "./state";

// A link shows the same; one with "last hour" in it shows the hour before it is opened.
function Share(props: { state: ExploreState }) {
  const { state } = props;
  const copy = async (next: ExploreState, close: () => void) => {
    const link = new URL(href("explore", writeState(next)), location.href);
    await copyText(link.href);
    close();
  };
  return (
    <Menu label="Share" title="Copy a link to this view" alignRight>
      {(close) => (
        <div class="menu-list">
          <button type="button" onClick={() => void copy(state, close)}>
            Copy link, range “{describeRange(state.range)}”
          </button>
          {isRelative(state.range) && (
            <button
              type="button"
              onClick={() => {
                const resolved = resolveRange(state.range, Date.now(), zone.value);
                if (resolved) void copy(fixedState(state, resolved), close);
              }}
            >
              Copy link to these very times
            </button>
          )}
        </div>
      )}
    </Menu>
  );
}

export function Explore() {
  const parameters = place.value.parameters;
  const state = useMemo(() => readState(parameters), [parameters.toString()]);
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
        <button
          type="button"
          title={state.columns === 1 ? "Queries side by side" : "Queries below each other"}
          aria-pressed={state.columns === 2}
          onClick={() => change({ columns: state.columns === 1 ? 2 : 1 })}
        >
          {state.columns === 1 ? "▥" : "▤"}
        </button>
        <Share state={state} />
      </div>
      <div class={state.columns === 2 ? "two-columns" : ""}>
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
            onDuplicate={
              state.queries.length < queriesMax
                ? (copied) =>
                    change({
                      queries: [
                        ...state.queries.slice(0, at + 1),
                        copied,
                        ...state.queries.slice(at + 1),
                      ],
                    })
                : undefined
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
