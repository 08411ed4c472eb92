// SPDX-License-Identifier: Apache-2.0
// One query of Explore: editor, ways to look at it, result.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Answer, instantQuery, type QueryData, rangeQuery } from "../lib/api";
import { useLoad } from "../lib/load";
import { history, remember, zone } from "../lib/settings";
import { formatDuration, resolveRange, stepFor, type TimeRange } from "../lib/time";
import { unitNames } from "../lib/units";
import { Chart } from "../parts/chart";
import { toChartData } from "../parts/chart_data";
import { LazyEditor } from "../parts/lazy_editor";
import { Menu } from "../parts/menu";
import { ErrorNotice, Notice } from "../parts/notice";
import { NothingFound, ResultJson, ResultTable, StatsLine } from "./result";
import type { QueryState, View } from "./state";

interface Shown extends Answer<QueryData> {
  view: View;
  range: { startS: number; endS: number; stepS: number };
  tookMs: number;
}

export function QueryPanel(props: {
  query: QueryState;
  range: TimeRange;
  stepS: number | undefined;
  refreshS: number;
  onChange: (query: QueryState) => void;
  onZoom: (fromMs: number, toMs: number) => void;
  onRemove: (() => void) | undefined;
}) {
  const { query, range, stepS, refreshS, onChange } = props;
  const [draft, setDraft] = useState(query.expression);
  const [runs, setRuns] = useState(0);
  const box = useRef<HTMLElement>(null);
  useEffect(() => setDraft(query.expression), [query.expression]);

  const loaded = useLoad<Shown | undefined>(
    async (signal) => {
      if (query.expression.trim() === "") return undefined;
      const resolved = resolveRange(range, Date.now(), zone.value);
      if (!resolved) return undefined;
      const width = box.current?.clientWidth ?? 1000;
      const step = stepS ?? stepFor(resolved, width);
      const aligned = {
        startS: Math.ceil(resolved.fromMs / 1000 / step) * step,
        endS: Math.floor(resolved.toMs / 1000 / step) * step,
        stepS: step,
      };
      const begun = performance.now();
      const answer =
        query.view === "graph"
          ? await rangeQuery(query.expression, aligned, signal)
          : await instantQuery(query.expression, resolved.toMs / 1000, signal);
      remember(query.expression);
      return { ...answer, view: query.view, range: aligned, tookMs: performance.now() - begun };
    },
    [query.expression, query.view === "graph", range.from, range.to, stepS, runs],
    refreshS * 1000,
  );

  const run = (expression: string) => {
    if (expression === query.expression) setRuns(runs + 1);
    else onChange({ ...query, expression });
  };
  const shown = loaded.data;
  const count = shown && "result" in shown.data ? shown.data.result.length : 0;
  return (
    <section class="panel query" ref={box}>
      <div class="query-line">
        <LazyEditor value={draft} onChange={setDraft} onRun={run} />
        <Menu label="History" title="Queries run before" alignRight>
          {(close) => (
            <ul class="history">
              {history.value.length === 0 && <li class="muted">No queries yet.</li>}
              {history.value.map((expression) => (
                <li key={expression}>
                  <button
                    type="button"
                    onClick={() => {
                      onChange({ ...query, expression });
                      close();
                    }}
                  >
                    {expression}
                  </button>
                </li>
              ))}
            </ul>
          )}
        </Menu>
        <button type="button" class="primary" onClick={() => run(draft)}>
          Run
        </button>
        {props.onRemove && (
          <button type="button" class="icon" title="Remove this query" onClick={props.onRemove}>
            ✕
          </button>
        )}
      </div>
      <div class="query-bar">
        <div class="tabs" role="tablist">
          {(["graph", "table", "json"] as const).map((view) => (
            <button
              key={view}
              type="button"
              role="tab"
              aria-selected={query.view === view}
              onClick={() => onChange({ ...query, view })}
            >
              {view === "json" ? "JSON" : view[0]?.toUpperCase() + view.slice(1)}
            </button>
          ))}
        </div>
        {query.view === "graph" && <GraphStyle query={query} onChange={onChange} />}
        <span class="grow" />
        {loaded.loading && <span class="spinner" role="status" aria-label="Loading" />}
        {shown && <StatsLine stats={shown.data.stats} series={count} tookMs={shown.tookMs} />}
        {shown?.view === "graph" && (
          <span class="muted">step {formatDuration(shown.range.stepS * 1000)}</span>
        )}
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} retry={loaded.reload} />}
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
      {query.expression.trim() === "" && (
        <Notice kind="empty">
          Write an expression and press Enter. Ctrl-Space completes names; <code>up</code> shows
          which targets are reached.
        </Notice>
      )}
      {shown && query.expression.trim() !== "" && (
        <Result shown={shown} query={query} onZoom={props.onZoom} />
      )}
    </section>
  );
}

function GraphStyle(props: { query: QueryState; onChange: (query: QueryState) => void }) {
  const { query, onChange } = props;
  return (
    <>
      <select
        aria-label="How lines are drawn"
        value={query.mode}
        onChange={(e) => onChange({ ...query, mode: e.currentTarget.value as QueryState["mode"] })}
      >
        <option value="line">Lines</option>
        <option value="stacked">Stacked</option>
        <option value="points">Points</option>
      </select>
      <label class="check">
        <input
          type="checkbox"
          checked={query.log}
          onChange={(e) => onChange({ ...query, log: e.currentTarget.checked })}
        />
        log
      </label>
      <select
        aria-label="Unit"
        value={query.unit}
        onChange={(e) => onChange({ ...query, unit: e.currentTarget.value })}
      >
        {unitNames.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <input
        class="legend-input"
        placeholder="Legend: {{instance}}"
        aria-label="Legend template"
        value={query.legend}
        onChange={(e) => onChange({ ...query, legend: e.currentTarget.value })}
      />
    </>
  );
}

function Result(props: {
  shown: Shown;
  query: QueryState;
  onZoom: (fromMs: number, toMs: number) => void;
}) {
  const { shown, query, onZoom } = props;
  const { data, range } = shown;
  const chart = useMemo(
    () =>
      data.resultType === "matrix" ? toChartData(data.result, range, query.legend) : undefined,
    [data, range, query.legend],
  );
  if (query.view === "json") return <ResultJson data={data} />;
  if (query.view === "table" || shown.view !== "graph") {
    return <ResultTable data={data} unit={query.unit} />;
  }
  if (!chart) return null;
  if (chart.series.length === 0) return <NothingFound />;
  return (
    <Chart
      data={chart}
      style={{ mode: query.mode, log: query.log, unit: query.unit }}
      height={320}
      syncKey="explore"
      onZoom={onZoom}
    />
  );
}
