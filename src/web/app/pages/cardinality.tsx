// SPDX-License-Identifier: Apache-2.0
// Cardinality: which metrics, labels and pairs the series of the head are made of, with a way down
// from each to its parts.
import { useState } from "preact/hooks";
import { get } from "../lib/api";
import { labelName, quote } from "../lib/labels";
import { useLoad } from "../lib/load";
import { go, place } from "../lib/router";
import { zone } from "../lib/settings";
import { formatTime } from "../lib/time";
import { formatValue } from "../lib/units";
import { DataTable } from "../parts/data_table";
import { ErrorNotice, Notice } from "../parts/notice";

interface Count {
  name: string;
  value: number;
}
interface TsdbStatus {
  headStats: {
    numSeries: number;
    numLabelPairs: number;
    chunkCount: number;
    minTime: number;
    maxTime: number;
  };
  seriesCountByMetricName: Count[];
  labelValueCountByLabelName: Count[];
  memoryInBytesByLabelName: Count[];
  seriesCountByLabelValuePair: Count[];
}

function Counts(props: {
  title: string;
  rows: Count[];
  unit?: string;
  total?: number;
  pick?: (name: string) => void;
}) {
  const { rows, total, pick } = props;
  const most = Math.max(1, ...rows.map((row) => row.value));
  return (
    <section class="panel">
      <h2>{props.title}</h2>
      <DataTable
        caption={props.title}
        rows={rows}
        rowKey={(row) => row.name}
        columns={[
          {
            title: "Name",
            sort: (row) => row.name,
            show: (row) => (
              <div class="bar-cell">
                <i class="bar" style={{ width: `${(100 * row.value) / most}%` }} />
                {pick ? (
                  <button type="button" class="link" onClick={() => pick(row.name)}>
                    {row.name}
                  </button>
                ) : (
                  row.name
                )}
              </div>
            ),
          },
          {
            title: "Count",
            number: true,
            sort: (row) => row.value,
            show: (row) => formatValue(row.value, props.unit ?? "short"),
          },
          ...(total
            ? [
                {
                  title: "Share",
                  number: true,
                  show: (row: Count) => formatValue((100 * row.value) / total, "percent", 1),
                },
              ]
            : []),
        ]}
      />
    </section>
  );
}

// The labels of one selection: distinct values of each.
function Focus(props: { selector: string }) {
  const { selector } = props;
  const loaded = useLoad(
    async (signal) => {
      const series = await get<Record<string, string>[]>(
        "api/v1/series",
        { "match[]": selector, start: Date.now() / 1000 - 7200, limit: 100_000 },
        signal,
      );
      const values = new Map<string, Map<string, number>>();
      for (const labels of series.data) {
        for (const [name, value] of Object.entries(labels)) {
          const counts = values.get(name) ?? new Map<string, number>();
          counts.set(value, (counts.get(value) ?? 0) + 1);
          values.set(name, counts);
        }
      }
      const labels = [...values.entries()]
        .map(([name, counts]) => ({
          name,
          value: counts.size,
          top: [...counts.entries()].sort((a, b) => b[1] - a[1]).slice(0, 5),
        }))
        .sort((a, b) => b.value - a.value);
      return { count: series.data.length, labels };
    },
    [selector],
  );
  return (
    <section class="panel">
      <h2>
        <code>{selector}</code>{" "}
        <span class="muted">{loaded.data && `${loaded.data.count} series in two hours`}</span>
      </h2>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {loaded.data && (
        <DataTable
          caption="Labels of the selection"
          rows={loaded.data.labels}
          rowKey={(row) => row.name}
          columns={[
            { title: "Label", sort: (row) => row.name, show: (row) => row.name },
            { title: "Values", number: true, sort: (row) => row.value, show: (row) => row.value },
            {
              title: "Most series",
              show: (row) => row.top.map(([value, n]) => `${value} (${n})`).join(", "),
            },
          ]}
        />
      )}
    </section>
  );
}

export function CardinalityPage() {
  const [limit, setLimit] = useState(20);
  const loaded = useLoad(
    (signal) => get<TsdbStatus>("api/v1/status/tsdb", { limit }, signal),
    [limit],
  );
  const selector = place.value.parameters.get("selector") ?? "";
  const focus = (next: string) =>
    go("cardinality", new URLSearchParams(next ? { selector: next } : {}));
  const status = loaded.data?.data;
  const total = status?.headStats.numSeries ?? 0;
  return (
    <main class="wide">
      <div class="toolbar">
        <h1>Cardinality</h1>
        <input
          class="filter"
          placeholder='Selector to look into, for example {job="node"}'
          aria-label="Selector"
          value={selector}
          onChange={(e) => focus(e.currentTarget.value)}
        />
        <select
          aria-label="Rows"
          value={limit}
          onChange={(e) => setLimit(Number(e.currentTarget.value))}
        >
          {[10, 20, 50, 200].map((n) => (
            <option key={n} value={n}>
              Top {n}
            </option>
          ))}
        </select>
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {selector && <Focus selector={selector} />}
      {status && total === 0 && <Notice kind="empty">There are no series in memory yet.</Notice>}
      {status && total > 0 && (
        <>
          <dl class="facts">
            <div>
              <dt>Series</dt>
              <dd>{formatValue(total)}</dd>
            </div>
            <div>
              <dt>Label pairs</dt>
              <dd>{formatValue(status.headStats.numLabelPairs)}</dd>
            </div>
            <div>
              <dt>Chunks</dt>
              <dd>{formatValue(status.headStats.chunkCount)}</dd>
            </div>
            <div>
              <dt>Oldest in memory</dt>
              <dd>{formatTime(status.headStats.minTime, zone.value)}</dd>
            </div>
            <div>
              <dt>Newest</dt>
              <dd>{formatTime(status.headStats.maxTime, zone.value)}</dd>
            </div>
          </dl>
          <div class="two-columns">
            <Counts
              title="Series by metric"
              rows={status.seriesCountByMetricName}
              total={total}
              pick={(name) => focus(`{__name__=${quote(name)}}`)}
            />
            <Counts
              title="Series by label pair"
              rows={status.seriesCountByLabelValuePair}
              total={total}
              pick={(pair) => {
                const at = pair.indexOf("=");
                focus(`{${labelName(pair.slice(0, at))}=${quote(pair.slice(at + 1))}}`);
              }}
            />
            <Counts
              title="Values by label"
              rows={status.labelValueCountByLabelName}
              pick={(name) => focus(`{${labelName(name)}!=""}`)}
            />
            <Counts
              title="Bytes of values by label"
              rows={status.memoryInBytesByLabelName}
              unit="bytes"
            />
          </div>
        </>
      )}
    </main>
  );
}
