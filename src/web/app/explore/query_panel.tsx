// SPDX-License-Identifier: Apache-2.0
// One query of Explore: editor, ways to look at it, result.
import type { FunctionComponent } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Answer, ApiError, instantQuery, post, type QueryData, rangeQuery } from "../lib/api";
import { useLoad } from "../lib/load";
import { saveAs } from "../lib/save_as";
import { history, remember, zone } from "../lib/settings";
import { alignedSteps, formatDuration, resolveRange, stepFor, type TimeRange } from "../lib/time";
import { unitNames } from "../lib/units";
import { LazyEditor } from "../parts/lazy_editor";
import { LazyPart } from "../parts/lazy_part";
import { Menu } from "../parts/menu";
import { ErrorNotice, Notice } from "../parts/notice";
import { toCsv } from "./csv";
import { GraphView } from "./graph_view";
import { ResultJson, ResultTable, StatsLine } from "./result";
import type { QueryState, View } from "./state";

interface Shown extends Answer<QueryData> {
  view: View;
  range: { startS: number; endS: number; stepS: number };
  timeS: number; // of an instant query
  tookMs: number;
}

const viewNames: Record<View, string> = {
  graph: "Graph",
  table: "Table",
  explain: "Explain",
  json: "JSON",
};
const loadExplain = () =>
  import("./explain").then(
    (module) => module.default as FunctionComponent<{ expression: string; timeS: number }>,
  );
const loadMetrics = () =>
  import("./metric_explorer").then(
    (module) =>
      module.default as FunctionComponent<{ use: (query: string) => void; close: () => void }>,
  );

export function QueryPanel(props: {
  query: QueryState;
  range: TimeRange;
  stepS: number | undefined;
  refreshS: number;
  onChange: (query: QueryState) => void;
  onZoom: (fromMs: number, toMs: number) => void;
  onDuplicate: ((query: QueryState) => void) | undefined;
  onRemove: (() => void) | undefined;
}) {
  const { query, range, stepS, refreshS, onChange } = props;
  const [draft, setDraft] = useState(query.expression);
  const [runs, setRuns] = useState(0);
  const [metricsOpen, setMetricsOpen] = useState(false);
  const [formatError, setFormatError] = useState<ApiError | undefined>();
  const box = useRef<HTMLElement>(null);
  useEffect(() => setDraft(query.expression), [query.expression]);
  useEffect(() => setFormatError(undefined), [draft]);
  const empty = query.expression.trim() === "";

  const loaded = useLoad<Shown | undefined>(
    async (signal) => {
      if (empty) return undefined;
      const resolved = resolveRange(range, Date.now(), zone.value);
      if (!resolved) {
        throw new ApiError("refused", `No time range: “${range.from}” to “${range.to}”.`);
      }
      const width = box.current?.clientWidth ?? 1000;
      const step = stepS ?? stepFor(resolved, width);
      const aligned = alignedSteps(resolved, step);
      const timeS = resolved.toMs / 1000;
      const begun = performance.now();
      const answer =
        query.view === "graph"
          ? await rangeQuery(query.expression, aligned, signal, true)
          : await instantQuery(query.expression, timeS, signal);
      remember(query.expression);
      const tookMs = performance.now() - begun;
      return { ...answer, view: query.view, range: aligned, timeS, tookMs };
    },
    [query.expression, query.view === "graph", range.from, range.to, stepS, runs],
    refreshS * 1000,
  );

  const run = (expression: string) => {
    if (expression === query.expression) setRuns(runs + 1);
    else onChange({ ...query, expression });
  };
  const format = () =>
    post<string>("api/v1/format_query", { query: draft }).then(
      ({ data }) => setDraft(data),
      (cause: unknown) => {
        if (cause instanceof ApiError) setFormatError(cause);
      },
    );
  // What answers another expression is not shown beside an error about this one.
  const shown = loaded.stale && loaded.error ? undefined : loaded.data;
  // A query that fails has no time of its own: one for all nodes, until it is run again.
  const askedS = useMemo(() => Date.now() / 1000, [query.expression, runs]);
  const count = shown && "result" in shown.data ? shown.data.result.length : 0;
  return (
    <section class="panel query" ref={box}>
      <div class="query-line">
        <LazyEditor value={draft} onChange={setDraft} onRun={run} />
        <button type="button" title="Look through all metrics" onClick={() => setMetricsOpen(true)}>
          Metrics
        </button>
        <HistoryMenu onPick={(expression) => onChange({ ...query, expression })} />
        <Menu label="⋯" title="More for this query" alignRight>
          {(close) => (
            <div class="menu-list">
              <button
                type="button"
                onClick={() => {
                  void format();
                  close();
                }}
              >
                Format the expression
              </button>
              {props.onDuplicate && (
                <button
                  type="button"
                  onClick={() => {
                    props.onDuplicate?.({ ...query, expression: draft });
                    close();
                  }}
                >
                  Duplicate the query
                </button>
              )}
              {shown && (
                <button
                  type="button"
                  onClick={() => {
                    saveAs("result.csv", "text/csv", toCsv(shown.data));
                    close();
                  }}
                >
                  Download as CSV
                </button>
              )}
            </div>
          )}
        </Menu>
        <button
          type="button"
          class="primary"
          title="Run it (Enter in the editor)"
          onClick={() => run(draft)}
        >
          Run
        </button>
        {props.onRemove && (
          <button
            type="button"
            class="icon"
            title="Remove this query"
            aria-label="Remove this query"
            onClick={props.onRemove}
          >
            ✕
          </button>
        )}
      </div>
      {metricsOpen && (
        <LazyPart
          load={loadMetrics}
          props={{
            close: () => setMetricsOpen(false),
            use: (expression) => {
              setMetricsOpen(false);
              onChange({ ...query, expression });
            },
          }}
        />
      )}
      <div class="query-bar">
        <div class="tabs" role="tablist" aria-label="View">
          {(Object.keys(viewNames) as View[]).map((view) => (
            <button
              key={view}
              type="button"
              role="tab"
              aria-selected={query.view === view}
              onClick={() => onChange({ ...query, view })}
            >
              {viewNames[view]}
            </button>
          ))}
        </div>
        {query.view === "graph" && <GraphStyle query={query} onChange={onChange} />}
        <span class="grow" />
        {loaded.loading && !empty && <Waiting cancel={loaded.cancel} />}
        {shown && !empty && (
          <span class="muted">
            <StatsLine stats={shown.data.stats} series={count} tookMs={shown.tookMs} />
            {shown.view === "graph" && ` · step ${formatDuration(shown.range.stepS * 1000)}`}
          </span>
        )}
      </div>
      {formatError && <ErrorNotice error={formatError} />}
      {loaded.error && query.view !== "explain" && (
        <ErrorNotice error={loaded.error} retry={loaded.reload} />
      )}
      {shown?.warnings.map((text) => (
        <Notice kind="warning" key={text}>
          {text}
        </Notice>
      ))}
      {shown?.infos.map((text) => (
        <Notice kind="info" key={text}>
          {text}
        </Notice>
      ))}
      {empty && (
        <Notice kind="empty">
          Write an expression and press Enter. Ctrl-Space completes names, Metrics lists them all;{" "}
          <button
            type="button"
            class="link"
            onClick={() => onChange({ ...query, expression: "up" })}
          >
            up
          </button>{" "}
          shows which targets are reached.
        </Notice>
      )}
      {!empty && query.view === "explain" && (
        <LazyPart
          load={loadExplain}
          props={{ expression: query.expression, timeS: shown?.timeS ?? askedS }}
        />
      )}
      {shown && !empty && query.view !== "explain" && (
        <div class={loaded.stale ? "dimmed" : ""} aria-busy={loaded.loading}>
          {query.view === "json" ? (
            <ResultJson data={shown.data} />
          ) : query.view === "graph" && shown.view === "graph" ? (
            <GraphView
              data={shown.data}
              range={shown.range}
              query={query}
              onChange={onChange}
              onZoom={props.onZoom}
            />
          ) : (
            <ResultTable data={shown.data} unit={query.unit} />
          )}
        </div>
      )}
    </section>
  );
}

// A wheel, and after a second a way out.
function Waiting(props: { cancel: () => void }) {
  const [long, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), 1000);
    return () => clearTimeout(timer);
  }, []);
  return (
    <>
      <span class="spinner" role="status" aria-label="Loading" />
      {long && (
        <button type="button" onClick={props.cancel}>
          Cancel
        </button>
      )}
    </>
  );
}

function HistoryMenu(props: { onPick: (expression: string) => void }) {
  return (
    <Menu label="History" title="Queries run before" alignRight>
      {(close) => (
        <ul class="history">
          {history.value.length === 0 && <li class="muted">No queries yet.</li>}
          {history.value.map((expression) => (
            <li key={expression}>
              <button
                type="button"
                onClick={() => {
                  props.onPick(expression);
                  close();
                }}
              >
                {expression}
              </button>
            </li>
          ))}
          {history.value.length > 0 && (
            <li>
              <button
                type="button"
                class="muted"
                onClick={() => {
                  history.value = [];
                  close();
                }}
              >
                Forget all
              </button>
            </li>
          )}
        </ul>
      )}
    </Menu>
  );
}

function GraphStyle(props: { query: QueryState; onChange: (query: QueryState) => void }) {
  const { query, onChange } = props;
  const lines = query.mode !== "heatmap";
  return (
    <>
      <select
        aria-label="How it is drawn"
        value={query.mode}
        onChange={(e) => onChange({ ...query, mode: e.currentTarget.value as QueryState["mode"] })}
      >
        <option value="line">Lines</option>
        <option value="stacked">Stacked</option>
        <option value="points">Points</option>
        <option value="heatmap">Heatmap</option>
      </select>
      {lines && (
        <>
          <label class="check" title="Logarithmic axis">
            <input
              type="checkbox"
              checked={query.log}
              onChange={(e) => onChange({ ...query, log: e.currentTarget.checked })}
            />
            log
          </label>
          <label class="check" title="Draw exemplars: single events, often with a trace">
            <input
              type="checkbox"
              checked={query.exemplars}
              onChange={(e) => onChange({ ...query, exemplars: e.currentTarget.checked })}
            />
            exemplars
          </label>
        </>
      )}
      <select
        aria-label="Unit"
        value={query.unit}
        onChange={(e) => onChange({ ...query, unit: e.currentTarget.value })}
      >
        {[...new Set([...unitNames, query.unit])].map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      {lines && (
        <input
          class="legend-input"
          placeholder="Legend: {{instance}}"
          aria-label="Legend template"
          value={query.legend}
          onChange={(e) => onChange({ ...query, legend: e.currentTarget.value })}
        />
      )}
    </>
  );
}
