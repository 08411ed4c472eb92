// SPDX-License-Identifier: Apache-2.0
// A time-series chart: uPlot with our legend. Drag to zoom; charts with one `syncKey` share the
// crosshair.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { dark, zone } from "../lib/settings";
import { formatTime } from "../lib/time";
import { formatValue } from "../lib/units";
import { type ChartData, drawnColumns, type Summary } from "./chart_data";
import { type ChartStyle, chartOptions, colorFor, type Mark } from "./chart_options";
import { Legend, type LegendKind } from "./legend";

export type { ChartStyle } from "./chart_options";

const noMarks: Mark[] = [];
const allSummaries: (keyof Summary)[] = ["last", "min", "mean", "max"];

export function Chart(props: {
  data: ChartData;
  style: ChartStyle;
  height: number;
  syncKey: string;
  onZoom: (fromMs: number, toMs: number) => void;
  marks?: Mark[];
  legend?: LegendKind;
  legendValues?: (keyof Summary)[];
}) {
  const { data, style, height, syncKey, marks = noMarks, legend = "table" } = props;
  const box = useRef<HTMLDivElement>(null);
  const zoom = useRef(props.onZoom);
  zoom.current = props.onZoom;
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [hover, setHover] = useState<{ at: number; series: number | null } | null>(null);
  const isDark = dark.value;
  const timeZone = zone.value;
  const styleKey = JSON.stringify(style);

  const shown = useMemo(
    () => data.series.flatMap((s, at) => (hidden.has(s.name) ? [] : [at])),
    [data, hidden],
  );

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const visible = shown.flatMap((at) => data.series[at] ?? []);
    const { columns, stacked } = drawnColumns(visible, style.mode === "stacked");
    const logged = style.log
      ? columns.map((c) => c.map((v) => (v !== null && v > 0 ? v : null)))
      : columns;
    const size = { width: Math.max(element.clientWidth, 100), height };
    const made = new uPlot(
      chartOptions(data, shown, stacked, style, marks, size, syncKey, {
        zoom: (from, to) => zoom.current(from, to),
        hover: (at, series) =>
          setHover((old) =>
            at === null ? null : { at, series: series ?? (old?.at === at ? old.series : null) },
          ),
      }),
      [data.timesS, ...logged] as uPlot.AlignedData,
      element,
    );
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [data, shown, styleKey, marks, height, syncKey, isDark, timeZone]);

  const pick = (name: string, toggle: boolean) =>
    setHidden((old) => {
      if (toggle) {
        const next = new Set(old);
        if (!next.delete(name)) next.add(name);
        return next;
      }
      const alone = !old.has(name) && old.size === data.series.length - 1;
      return alone ? new Set() : new Set(data.series.map((s) => s.name).filter((n) => n !== name));
    });

  return (
    <div class="chart">
      <div class="plot" ref={box} style={{ height: `${height}px` }} />
      <p class="hover">
        {hover && <HoverLine data={data} hover={hover} style={style} marks={marks} dark={isDark} />}
      </p>
      <Legend
        data={data}
        hidden={hidden}
        kind={legend}
        columns={props.legendValues ?? allSummaries}
        unit={style.unit}
        dark={isDark}
        onPick={pick}
      />
    </div>
  );
}

function HoverLine(props: {
  data: ChartData;
  hover: { at: number; series: number | null };
  style: ChartStyle;
  marks: Mark[];
  dark: boolean;
}) {
  const { data, hover, style } = props;
  const time = data.timesS[hover.at];
  if (time === undefined) return null;
  const series = hover.series === null ? undefined : data.series[hover.series];
  const value = series?.values[hover.at];
  const near = ((data.timesS.at(-1) ?? 0) - (data.timesS[0] ?? 0)) / 200;
  const mark = props.marks.find((m) => m.fromS - near <= time && time <= m.toS + near);
  const unit = series?.look?.unit ?? style.unit;
  return (
    <>
      <b>{formatTime(time * 1000, zone.value)}</b>
      {series && (
        <>
          {" "}
          <i class="swatch" style={{ background: colorFor(data, hover.series ?? 0, props.dark) }} />{" "}
          {series.name}{" "}
          <b>
            {value === null || value === undefined
              ? "no sample"
              : formatValue(value, unit, series.look?.decimals ?? style.decimals)}
          </b>
        </>
      )}
      {mark && <span class="muted"> · {mark.text}</span>}
    </>
  );
}
