// SPDX-License-Identifier: Apache-2.0
// An instant result as a table, and any result as JSON.
import { useMemo } from "preact/hooks";
import type { NativeHistogram, QueryData, QueryStats, VectorItem } from "../lib/api";
import { seriesName } from "../lib/labels";
import { parseValue } from "../lib/number";
import { labelColumns, zone } from "../lib/settings";
import { formatTime } from "../lib/time";
import { formatValue } from "../lib/units";
import { CodeBlock } from "../parts/code_block";
import { CopyButton } from "../parts/copy";
import { DataTable, type TableColumn } from "../parts/data_table";
import { SeriesText } from "../parts/labels";
import { Notice } from "../parts/notice";
import { HistogramBars } from "./histogram_bars";

export function StatsLine(props: {
  stats: QueryStats | undefined;
  series: number;
  tookMs: number;
}) {
  const { stats, series, tookMs } = props;
  const samples = stats?.samples?.totalQueryableSamples;
  const timings = stats?.timings ?? {};
  const resolutions = stats?.resolutions ?? [];
  const downsampled = resolutions.some((resolution) => resolution !== "raw");
  const details = [
    downsampled && `from ${resolutions.join(", ")} data: what is older is downsampled`,
    stats?.series !== undefined && `${stats.series.toLocaleString("en")} series read`,
    samples !== undefined && `${samples.toLocaleString("en")} samples read`,
    stats?.samples?.peakSamples !== undefined &&
      `${stats.samples.peakSamples.toLocaleString("en")} samples in memory at most`,
    timings.execQueueTime !== undefined && `waited ${formatValue(timings.execQueueTime, "s")}`,
    timings.queryPreparationTime !== undefined &&
      `prepared in ${formatValue(timings.queryPreparationTime, "s")}`,
    timings.innerEvalTime !== undefined &&
      `evaluated in ${formatValue(timings.innerEvalTime, "s")}`,
    `answered in ${formatValue(tookMs / 1000, "s")}, network and reading included`,
  ].filter(Boolean);
  return (
    <span class="muted stats" title={details.join("\n")}>
      {series.toLocaleString("en")} series
      {samples !== undefined && ` · ${formatValue(samples)} samples`}
      {downsampled && ` · from ${resolutions.join(", ")}`}
      {` · ${formatValue(tookMs / 1000, "s", tookMs < 10 ? 1 : 0)}`}
    </span>
  );
}

interface Row {
  labels: Record<string, string>;
  name: string;
  text: string;
  value: number;
  histogram?: NativeHistogram;
}

function rowOf(item: VectorItem): Row {
  const name = seriesName(item.metric);
  if (item.histogram) {
    const h = item.histogram[1];
    return {
      labels: item.metric,
      name,
      text: `histogram of ${h.count}, sum ${h.sum}`,
      value: parseValue(h.count),
      histogram: h,
    };
  }
  const text = item.value?.[1] ?? "";
  return { labels: item.metric, name, text, value: parseValue(text) };
}

// Wider tables are easier to read as series.
const labelColumnsMax = 16;

export function ResultTable(props: { data: QueryData; unit: string }) {
  const { data, unit } = props;
  const rows = useMemo(() => (data.resultType === "vector" ? data.result.map(rowOf) : []), [data]);
  if (data.resultType === "scalar" || data.resultType === "string") {
    return (
      <p class="single">
        {data.result[1]} <CopyButton text={data.result[1]} />
      </p>
    );
  }
  if (data.resultType === "matrix") return <MatrixTable data={data} />;
  if (rows.length === 0) return <NothingFound />;
  const value: TableColumn<Row> = {
    title: "Value",
    number: true,
    show: (row) => (
      <>
        {row.text}
        {!row.histogram && unit !== "short" && unit !== "none" && (
          <span class="muted"> ({formatValue(row.value, unit)})</span>
        )}
        {row.histogram && (
          <div>
            <HistogramBars histogram={row.histogram} unit={unit} />
          </div>
        )}
      </>
    ),
    sort: (row) => row.value,
  };
  const copy = (row: Row) => <CopyButton text={row.name} title="Copy the selector" />;
  const series: TableColumn<Row> = {
    title: "Series",
    show: (row) => (
      <>
        <SeriesText labels={row.labels} /> {copy(row)}
      </>
    ),
    sort: (row) => row.name,
  };
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.labels)))].sort();
  const split = labelColumns.value && names.length <= labelColumnsMax;
  const byLabel = names.map(
    (name): TableColumn<Row> => ({
      title: name === "__name__" ? "metric" : name,
      show: (row) => row.labels[name] ?? "",
      sort: (row) => row.labels[name] ?? "",
    }),
  );
  return (
    <>
      {names.length > 1 && names.length <= labelColumnsMax && (
        <label class="check">
          <input
            type="checkbox"
            checked={labelColumns.value}
            onChange={(e) => {
              labelColumns.value = e.currentTarget.checked;
            }}
          />
          labels as columns
        </label>
      )}
      <DataTable
        key={String(split)}
        caption="Result of the query"
        rows={rows}
        rowKey={(row) => row.name}
        columns={
          split
            ? [...byLabel, value, { title: "Copy", titleHidden: true, show: copy }]
            : [series, value]
        }
      />
    </>
  );
}

function clock(timeS: number): string {
  return formatTime(timeS * 1000, zone.value);
}

function MatrixTable(props: { data: Extract<QueryData, { resultType: "matrix" }> }) {
  const { result } = props.data;
  if (result.length === 0) return <NothingFound />;
  return (
    <DataTable
      caption="Samples of the range"
      rows={result}
      rowKey={(item) => seriesName(item.metric)}
      columns={[
        {
          title: "Series",
          show: (item) => <SeriesText labels={item.metric} />,
          sort: (i) => seriesName(i.metric),
        },
        {
          title: "Samples",
          show: (item) => (
            <pre class="samples" tabIndex={0}>
              {(item.values ?? []).slice(-1000).map(([t, v]) => `${v} @ ${t}  ${clock(t)}\n`)}
              {(item.histograms ?? [])
                .slice(-100)
                .map(([t, h]) => `count ${h.count} sum ${h.sum} @ ${t}  ${clock(t)}\n`)}
            </pre>
          ),
        },
      ]}
    />
  );
}

export function NothingFound() {
  return (
    <Notice kind="empty">
      No series. Is the metric scraped, and does it have samples at this time? A selector sees the
      last five minutes; try a longer range or fewer matchers. Explain shows which part is empty.
    </Notice>
  );
}

const jsonMax = 300_000;

export function ResultJson(props: { data: QueryData }) {
  const text = useMemo(() => JSON.stringify(props.data, null, 1), [props.data]);
  return (
    <div class="json">
      <CopyButton text={text} title="Copy the JSON" />
      <CodeBlock text={text.slice(0, jsonMax)} label="The answer as JSON" />
      {text.length > jsonMax && (
        <p class="muted">Cut after {jsonMax / 1000} kB; Copy takes all of it.</p>
      )}
    </div>
  );
}
