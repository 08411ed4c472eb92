// SPDX-License-Identifier: Apache-2.0
// Time series and bars over time.
import { useMemo } from "preact/hooks";
import { legendText } from "../../lib/labels";
import { dark } from "../../lib/settings";
import { Chart } from "../../parts/chart";
import {
  type ChartData,
  type ChartSeries,
  drawnSeriesMax,
  type SeriesLook,
  type Summary,
  timesOf,
  valuesOn,
} from "../../parts/chart_data";
import type { ChartStyle } from "../../parts/chart_options";
import { colorOf, styleOf } from "../field";
import type { FieldStyle, Panel } from "../model";
import type { View } from "../panel_data";
import type { PanelData } from "../panel_results";

function lookOf(panel: Panel, style: FieldStyle, isDark: boolean): SeriesLook {
  const look: SeriesLook = {};
  if (style.color) look.color = colorOf(style.color, isDark);
  const draw = style.draw ?? (panel.type === "bars" ? "bars" : undefined);
  if (draw) look.draw = draw;
  if (draw === "bars" && style.fill === undefined) look.fill = 70;
  if (style.step) look.step = style.step;
  if (style.smooth) look.smooth = true;
  if (style.width !== undefined) look.width = style.width;
  if (style.fill !== undefined) look.fill = style.fill;
  if (style.dash) look.dash = style.dash;
  if (style.stack) look.stack = style.stack;
  if (style.stackGroup !== undefined) look.stackGroup = style.stackGroup;
  if (style.negate) look.negate = true;
  if (style.rightAxis) look.rightAxis = true;
  if (style.connectGaps) look.connectGaps = true;
  if (style.unit) look.unit = style.unit;
  if (style.decimals !== undefined) look.decimals = style.decimals;
  if (style.hiddenInLegend) look.hiddenInLegend = true;
  return look;
}

export function chartOf(panel: Panel, data: PanelData, isDark: boolean): ChartData {
  const timesS = timesOf(data.range);
  const series: ChartSeries[] = [];
  let dropped = 0;
  for (const { query, data: answer } of data.results) {
    const items =
      answer.resultType === "matrix"
        ? answer.result
        : answer.resultType === "vector"
          ? answer.result.map((i) => ({ metric: i.metric, values: i.value ? [i.value] : [] }))
          : [];
    for (const item of items) {
      const name = legendText(query.legend, item.metric);
      const style = styleOf(panel, name, query.id);
      if (style.hiddenInPlot) continue;
      if (series.length >= drawnSeriesMax) {
        ++dropped;
        continue;
      }
      series.push({
        name: style.name ?? name,
        labels: item.metric,
        values: valuesOn(item, data.range, timesS.length),
        look: lookOf(panel, style, isDark),
      });
    }
  }
  return { timesS, series, dropped };
}

const summaries: (keyof Summary)[] = ["last", "min", "mean", "max", "sum"];

export function SeriesPanel(props: { panel: Panel; data: PanelData; view: View }) {
  const { panel, data, view } = props;
  const isDark = dark.value;
  const chart = useMemo(() => chartOf(panel, data, isDark), [panel, data, isDark]);
  const { style } = panel;
  const right = chart.series.find((s) => s.look?.rightAxis);
  const chartStyle: ChartStyle = {
    mode: style.draw === "points" ? "points" : "line",
    log: style.log ?? false,
    unit: style.stack === "percent" ? "percent" : (style.unit ?? "short"),
  };
  if (style.decimals !== undefined) chartStyle.decimals = style.decimals;
  if (style.min !== undefined) chartStyle.min = style.min;
  if (style.max !== undefined) chartStyle.max = style.max;
  if (style.softMin !== undefined) chartStyle.softMin = style.softMin;
  if (style.softMax !== undefined) chartStyle.softMax = style.softMax;
  if (style.axisLabel) chartStyle.axisLabel = style.axisLabel;
  if (right?.look?.unit) chartStyle.rightUnit = right.look.unit;
  if (style.thresholdLines) {
    chartStyle.thresholds = (style.thresholds ?? []).flatMap((t) =>
      t.from === null ? [] : [{ value: t.from, color: colorOf(t.color, isDark) }],
    );
  }
  return (
    <Chart
      data={chart}
      style={chartStyle}
      height="fill"
      syncKey={view.syncKey}
      onZoom={view.zoom}
      onAnnotate={view.annotate}
      marks={view.marks}
      legend={panel.legend}
      legendValues={summaries.filter((s) => panel.legendValues.includes(s))}
    />
  );
}
