// SPDX-License-Identifier: Apache-2.0
// All metrics with their type and help, searched as one types; a metric opens to its labels and their
// values, each a way to a query.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get } from "../lib/api";
import { labelName, narrowed, quote } from "../lib/labels";
import { useLoad } from "../lib/load";
import { CopyButton } from "../parts/copy";
import { ErrorNotice, Notice } from "../parts/notice";
import { rankNames } from "./metric_search";

interface Metadata {
  type: string;
  help: string;
  unit: string;
}
interface Counted {
  series: { value: number };
  labelValueCountByLabelName: { name: string; value: number }[];
  seriesCountByLabelValuePair: {
    name: string;
    label: string;
    labelValue: string;
    value: number;
  }[];
}
const listedMax = 150;
const valuesMax = 12;
const suffixes = /_(bucket|count|sum|total|created|info)$/;

const typeQueries: Record<string, (metric: string) => string> = {
  counter: (metric) => `rate(${metric}[5m])`,
  histogram: (metric) =>
    metric.endsWith("_bucket")
      ? `histogram_quantile(0.95, sum by (le) (rate(${metric}[5m])))`
      : `rate(${metric}[5m])`,
};

// Names that PromQL does not take bare are quoted in braces.
function asSelector(metric: string): string {
  return /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metric) ? metric : `{${quote(metric)}}`;
}

function Metric(props: { name: string; meta: Metadata | undefined; use: (q: string) => void }) {
  const { name, meta } = props;
  const loaded = useLoad(
    (signal) =>
      get<Counted>(
        "api/v1/status/cardinality",
        { "match[]": asSelector(name), start: Date.now() / 1000 - 3600, limit: 1000 },
        signal,
      ),
    [name],
  );
  const counted = loaded.stale ? undefined : loaded.data?.data;
  const selector = asSelector(name);
  const suggestion = typeQueries[meta?.type ?? ""]?.(selector);
  return (
    <div class="metric-detail">
      <h3>
        {name} <CopyButton text={name} title="Copy the name" />
      </h3>
      <p>
        <span class="badge">{meta?.type || "unknown"}</span>{" "}
        {meta?.unit && <span class="badge">{meta.unit}</span>}{" "}
        {meta?.help || <span class="muted">Its target says nothing about it.</span>}
      </p>
      <p class="actions">
        <button type="button" class="primary" onClick={() => props.use(selector)}>
          Use
        </button>
        {suggestion && (
          <button type="button" onClick={() => props.use(suggestion)}>
            <code>{suggestion}</code>
          </button>
        )}
      </p>
      {loaded.error && <ErrorNotice error={loaded.error} retry={loaded.reload} />}
      {!counted && !loaded.error && <p class="muted">Looking at its series …</p>}
      {counted && (
        <>
          <p class="muted">{counted.series.value.toLocaleString("en")} series in the last hour</p>
          <dl class="metric-labels">
            {counted.labelValueCountByLabelName
              .filter(({ name: label }) => label !== "__name__")
              .map(({ name: label, value: count }) => {
                const pairs = counted.seriesCountByLabelValuePair.filter((p) => p.label === label);
                return (
                  <div key={label}>
                    <dt>
                      {label} <span class="muted">{count}</span>
                    </dt>
                    <dd>
                      {pairs.slice(0, valuesMax).map((pair) => (
                        <button
                          key={pair.labelValue}
                          type="button"
                          class="tag"
                          title={`${pair.value} series; click to query them`}
                          onClick={() =>
                            props.use(
                              narrowed(selector, `${labelName(label)}=${quote(pair.labelValue)}`),
                            )
                          }
                        >
                          {pair.labelValue === "" ? '""' : pair.labelValue}
                        </button>
                      ))}
                      {count > valuesMax && <span class="muted">and {count - valuesMax} more</span>}
                    </dd>
                  </div>
                );
              })}
          </dl>
        </>
      )}
    </div>
  );
}

export default function MetricExplorer(props: { use: (query: string) => void; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    // A click beside the dialog is one on the dialog itself.
    element?.addEventListener("click", (event) => {
      if (event.target === element) element.close();
    });
  }, []);
  const names = useLoad((signal) => get<string[]>("api/v1/label/__name__/values", {}, signal), []);
  const metadata = useLoad(
    (signal) => get<Record<string, Metadata[]>>("api/v1/metadata", {}, signal),
    [],
  );
  const [search, setSearch] = useState("");
  const [chosen, setChosen] = useState<string | undefined>();
  const metaOf = (name: string) => {
    const all = metadata.data?.data ?? {};
    return (all[name] ?? all[name.replace(suffixes, "")])?.[0];
  };
  const found = useMemo(
    () => rankNames(names.data?.data ?? [], search, (name) => metaOf(name)?.help ?? ""),
    [names.data, metadata.data, search],
  );
  const shown = found.slice(0, listedMax);
  const step = (by: number) => {
    const at = shown.indexOf(chosen ?? "");
    const next = shown[Math.min(Math.max(at + by, 0), shown.length - 1)];
    if (next) setChosen(next);
    document.getElementById(`metric-${next}`)?.scrollIntoView({ block: "nearest" });
  };
  return (
    <dialog ref={dialog} class="metric-explorer" aria-label="Metrics" onClose={props.close}>
      <div class="panel-head">
        <h2>Metrics</h2>
        <input
          type="search"
          class="filter"
          autofocus
          placeholder="Search names and descriptions"
          aria-label="Search names and descriptions"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "ArrowDown" || event.key === "ArrowUp") {
              event.preventDefault();
              step(event.key === "ArrowDown" ? 1 : -1);
            }
            const first = chosen ?? shown[0];
            if (event.key === "Enter" && first) props.use(asSelector(first));
          }}
        />
        <span class="muted">
          {found.length.toLocaleString("en")} of{" "}
          {(names.data?.data ?? []).length.toLocaleString("en")}
        </span>
        <span class="grow" />
        <button
          type="button"
          class="icon"
          aria-label="Close"
          onClick={() => dialog.current?.close()}
        >
          ✕
        </button>
      </div>
      {names.error && <ErrorNotice error={names.error} retry={names.reload} />}
      <div class="metric-columns">
        <ul class="metric-list">
          {shown.map((name) => (
            <li key={name}>
              <button
                type="button"
                id={`metric-${name}`}
                aria-pressed={chosen === name}
                onClick={() => setChosen(name)}
                onDblClick={() => props.use(asSelector(name))}
              >
                <span class="metric-name">{name}</span>
                <span class="muted metric-type">{metaOf(name)?.type ?? ""}</span>
                <span class="muted metric-help">{metaOf(name)?.help ?? ""}</span>
              </button>
            </li>
          ))}
          {found.length > listedMax && (
            <li class="muted">{found.length - listedMax} more: type more of the name.</li>
          )}
          {names.data && found.length === 0 && <li class="muted">No metric fits.</li>}
        </ul>
        {chosen ? (
          <Metric key={chosen} name={chosen} meta={metaOf(chosen)} use={props.use} />
        ) : (
          <div class="metric-detail">
            <Notice kind="empty">
              Choose a metric to see its labels; arrow keys move, Enter uses it.
            </Notice>
          </div>
        )}
      </div>
    </dialog>
  );
}
