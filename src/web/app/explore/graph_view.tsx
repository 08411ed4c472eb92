// SPDX-License-Identifier: Apache-2.0
// A range as lines with exemplars above them, or as a heatmap.
import { useEffect, useMemo, useState } from "preact/hooks";
import { emptyPanel } from "../dashboard/model";
import { HeatmapPanel } from "../dashboard/panels/heatmap";
import { post, type QueryData } from "../lib/api";
import { seriesName } from "../lib/labels";
import { useLoad } from "../lib/load";
import { zone } from "../lib/settings";
import { formatTime } from "../lib/time";
import { formatValue } from "../lib/units";
import { Chart } from "../parts/chart";
import { type ChartPoint, type StepRange, toChartData } from "../parts/chart_data";
import { CopyButton } from "../parts/copy";
import { ErrorNotice, Notice } from "../parts/notice";
import { type ExemplarSeries, exemplarPoints } from "./exemplars";
import { NothingFound } from "./result";
import type { QueryState } from "./state";

const heightPx = 320;
const none = { points: [] as ChartPoint[], dropped: 0 };

export function GraphView(props: {
  data: QueryData;
  range: StepRange;
  query: QueryState;
  onChange: (query: QueryState) => void;
  onZoom: (fromMs: number, toMs: number) => void;
}) {
  const { data, range, query } = props;
  const [kept, setKept] = useState<ChartPoint | undefined>();
  const chart = useMemo(
    () =>
      data.resultType === "matrix" ? toChartData(data.result, range, query.legend) : undefined,
    [data, range, query.legend],
  );
  const exemplars = useLoad(
    async (signal) => {
      if (!query.exemplars) return none;
      const { data: series } = await post<ExemplarSeries[]>(
        "api/v1/query_exemplars",
        { query: query.expression, start: range.startS, end: range.endS },
        signal,
      );
      return exemplarPoints(series, range);
    },
    [query.exemplars, query.expression, range],
  );
  // Quantiles and exemplars are of one unit: the axis takes both in.
  const sameUnit = /histogram_(quantile|avg)/.test(query.expression);
  const points = useMemo(() => {
    const found = (query.exemplars ? exemplars.data : undefined) ?? none;
    if (!sameUnit) return found;
    return { ...found, points: found.points.map((point) => ({ ...point, unit: query.unit })) };
  }, [query.exemplars, exemplars.data, sameUnit, query.unit]);
  const style = useMemo(() => {
    const plain = { mode: query.mode, log: query.log, unit: query.unit };
    const values = points.points.map((point) => point.value);
    if (values.length === 0 || !sameUnit) return plain;
    return { ...plain, softMin: Math.min(...values), softMax: Math.max(...values) };
  }, [query.mode, query.log, query.unit, sameUnit, points]);
  useEffect(() => {
    if (!query.exemplars) setKept(undefined);
  }, [query.exemplars]);
  const histograms =
    data.resultType === "matrix" && data.result.some((item) => (item.histograms ?? []).length > 0);
  if (!chart) return <Notice kind="empty">A {data.resultType} has no graph.</Notice>;
  if (chart.series.length === 0) return <NothingFound />;
  if (query.mode === "heatmap") {
    return <Heatmap data={data} range={range} query={query} />;
  }
  return (
    <>
      {histograms && (
        <Notice kind="info">
          Native histograms, drawn as their counts.{" "}
          <button
            type="button"
            class="link"
            onClick={() => props.onChange({ ...query, mode: "heatmap" })}
          >
            Show a heatmap
          </button>
        </Notice>
      )}
      <Chart
        data={chart}
        style={style}
        height={heightPx}
        syncKey="explore"
        onZoom={props.onZoom}
        points={points.points}
        onPoint={setKept}
      />
      {exemplars.error && query.exemplars && <ErrorNotice error={exemplars.error} />}
      {query.exemplars && exemplars.data && points.points.length === 0 && (
        <p class="muted">
          No exemplars in this time. Targets send them in OpenMetrics or protobuf, and the server
          keeps the newest.
        </p>
      )}
      {points.dropped > 0 && (
        <p class="muted">
          {points.points.length} of {points.points.length + points.dropped} exemplars are drawn, the
          largest, smallest and newest of each moment; zoom in for the others.
        </p>
      )}
      {kept && <Exemplar point={kept} close={() => setKept(undefined)} />}
    </>
  );
}

function Heatmap(props: { data: QueryData; range: StepRange; query: QueryState }) {
  const { data, range, query } = props;
  const panel = useMemo(
    () => ({ ...emptyPanel(0), type: "heatmap" as const, style: { unit: query.unit } }),
    [query.unit],
  );
  const results = useMemo(() => {
    const part = {
      id: "A",
      expression: query.expression,
      legend: "",
      instant: false,
      hidden: false,
    };
    return { results: [{ query: part, data }], range, warnings: [] };
  }, [data, range, query.expression]);
  return <HeatmapPanel panel={panel} data={results} height={heightPx + 48} />;
}

function Exemplar(props: { point: ChartPoint; close: () => void }) {
  const { point } = props;
  return (
    <div class="notice info exemplar-kept">
      <b>Exemplar</b> {formatValue(point.value, point.unit)} at{" "}
      {formatTime(point.timeS * 1000, zone.value)}
      <button type="button" class="icon" aria-label="Close the exemplar" onClick={props.close}>
        ✕
      </button>
      <dl class="pairs">
        {Object.entries(point.labels).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {/^https?:\/\//.test(value) ? (
                <a href={value} target="_blank" rel="noreferrer noopener">
                  {value}
                </a>
              ) : (
                value
              )}{" "}
              <CopyButton text={value} title={`Copy ${name}`} />
            </dd>
          </div>
        ))}
        <div>
          <dt>of</dt>
          <dd>
            <code>{seriesName(point.series)}</code>
          </dd>
        </div>
      </dl>
    </div>
  );
}
