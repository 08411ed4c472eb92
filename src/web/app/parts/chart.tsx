// SPDX-License-Identifier: Apache-2.0
// A time-series chart: uPlot with our legend. Drag to zoom; charts with one `syncKey` share the
// crosshair; a click in the legend shows one series alone, with Ctrl it hides or shows it.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { dark, zone } from "../lib/settings";
import { formatTime } from "../lib/time";
import { formatValue } from "../lib/units";
import { type ChartData, seriesColor, stacked, summarize } from "./chart_data";

export interface ChartStyle {
  mode: "line" | "stacked" | "points";
  log: boolean;
  unit: string;
}

function axisTime(ms: number, spanS: number): string {
  const text = formatTime(ms, zone.value);
  if (spanS > 2 * 86400) return text.slice(5, 16);
  return spanS > 600 ? text.slice(11, 16) : text.slice(11, 19);
}

function buildOptions(
  data: ChartData,
  shown: number[],
  style: ChartStyle,
  size: { width: number; height: number },
  syncKey: string,
  onZoom: (fromMs: number, toMs: number) => void,
  onHover: (at: number | null, series: number | null) => void,
): uPlot.Options {
  const isDark = dark.value;
  const ink = isDark ? "#aab4c5" : "#4a5568";
  const grid = { stroke: isDark ? "#2a3242" : "#e4e8ef", width: 1 };
  const first = data.timesS[0] ?? 0;
  const spanS = (data.timesS[data.timesS.length - 1] ?? 0) - first;
  return {
    ...size,
    tzDate: (seconds) => new Date(seconds * 1000),
    legend: { show: false },
    cursor: {
      sync: { key: syncKey, setSeries: false },
      focus: { prox: 24 },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      points: { size: 6 },
    },
    focus: { alpha: 0.35 },
    scales: {
      x: { time: true },
      y: {
        distr: style.log ? 3 : 1,
        range: style.log
          ? (_, min, max) => [Math.max(min, 1e-12), Math.max(max, 1e-11)]
          : (_, min, max) =>
              uPlot.rangeNum(
                Math.min(min ?? 0, style.mode === "stacked" ? 0 : (min ?? 0)),
                max ?? 1,
                0.08,
                true,
              ),
      },
    },
    axes: [
      {
        stroke: ink,
        grid,
        ticks: grid,
        space: 70,
        values: (_, splits) => splits.map((s) => axisTime(s * 1000, spanS)),
      },
      {
        stroke: ink,
        grid,
        ticks: grid,
        size: 72,
        values: (_, splits) => splits.map((v) => (v === null ? "" : formatValue(v, style.unit))),
      },
    ],
    series: [
      {},
      ...shown.map((at) => {
        const color = seriesColor(at, isDark);
        return {
          label: data.series[at]?.name ?? "",
          stroke: color,
          width: style.mode === "points" ? 0 : 1.5,
          ...(style.mode === "stacked" ? { fill: color.replace(")", " / 0.35)") } : {}),
          points: { show: style.mode === "points" ? true : undefined, size: 4, fill: color },
          spanGaps: false,
        } as uPlot.Series;
      }),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return;
          const from = plot.posToVal(plot.select.left, "x") * 1000;
          const to = plot.posToVal(plot.select.left + plot.select.width, "x") * 1000;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          onZoom(from, to);
        },
      ],
      setCursor: [(plot) => onHover(plot.cursor.idx ?? null, null)],
      setSeries: [
        (plot, at) => {
          if (at !== null)
            onHover(plot.cursor.idx ?? null, at > 0 ? (shown[at - 1] ?? null) : null);
        },
      ],
    },
  };
}

export function Chart(props: {
  data: ChartData;
  style: ChartStyle;
  height: number;
  syncKey: string;
  onZoom: (fromMs: number, toMs: number) => void;
}) {
  const { data, style, height, syncKey } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const zoom = useRef(props.onZoom);
  zoom.current = props.onZoom;
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [hover, setHover] = useState<{ at: number; series: number | null } | null>(null);
  const isDark = dark.value;
  const timeZone = zone.value;

  const shown = useMemo(
    () => data.series.flatMap((s, at) => (hidden.has(s.name) ? [] : [at])),
    [data, hidden],
  );

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const visible = shown.flatMap((at) => data.series[at] ?? []);
    const columns = style.mode === "stacked" ? stacked(visible) : visible.map((s) => s.values);
    const logged = style.log
      ? columns.map((c) => c.map((v) => (v !== null && v > 0 ? v : null)))
      : columns;
    const options = buildOptions(
      data,
      shown,
      style,
      { width: Math.max(element.clientWidth, 100), height },
      syncKey,
      (from, to) => zoom.current(from, to),
      (at, series) =>
        setHover((old) =>
          at === null ? null : { at, series: series ?? (old?.at === at ? old.series : null) },
        ),
    );
    const made = new uPlot(options, [data.timesS, ...logged] as uPlot.AlignedData, element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [data, shown, style.mode, style.log, style.unit, height, syncKey, isDark, timeZone]);

  const isolate = (name: string, toggle: boolean) =>
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
      <p class="hover" aria-live="off">
        {hover === null ? (
          <span class="muted">Drag to zoom in.</span>
        ) : (
          <HoverLine data={data} hover={hover} unit={style.unit} dark={isDark} />
        )}
      </p>
      <Legend data={data} hidden={hidden} unit={style.unit} dark={isDark} onPick={isolate} />
    </div>
  );
}

function HoverLine(props: {
  data: ChartData;
  hover: { at: number; series: number | null };
  unit: string;
  dark: boolean;
}) {
  const { data, hover, unit } = props;
  const time = data.timesS[hover.at];
  if (time === undefined) return null;
  const series = hover.series === null ? undefined : data.series[hover.series];
  const value = series?.values[hover.at];
  return (
    <>
      <b>{formatTime(time * 1000, zone.value)}</b>
      {series && (
        <>
          {" "}
          <i class="swatch" style={{ background: seriesColor(hover.series ?? 0, props.dark) }} />{" "}
          {series.name}{" "}
          <b>{value === null || value === undefined ? "no sample" : formatValue(value, unit)}</b>
        </>
      )}
    </>
  );
}

type LegendKey = "name" | "last" | "min" | "max" | "mean";

function Legend(props: {
  data: ChartData;
  hidden: ReadonlySet<string>;
  unit: string;
  dark: boolean;
  onPick: (name: string, toggle: boolean) => void;
}) {
  const { data, hidden, unit } = props;
  const [order, setOrder] = useState<{ key: LegendKey; down: boolean }>({
    key: "last",
    down: true,
  });
  const rows = useMemo(() => {
    const all = data.series.map((s, at) => ({ at, name: s.name, summary: summarize(s.values) }));
    const key = (row: (typeof all)[number]) =>
      order.key === "name" ? row.name : (row.summary?.[order.key] ?? Number.NEGATIVE_INFINITY);
    all.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    return order.down ? all.reverse() : all;
  }, [data, order]);
  const head = (key: LegendKey, title: string) => (
    <th class={key === "name" ? "" : "number"}>
      <button
        type="button"
        class="head"
        onClick={() => setOrder((o) => ({ key, down: o.key === key ? !o.down : key !== "name" }))}
      >
        {title}
        {order.key === key ? (order.down ? " ▾" : " ▴") : ""}
      </button>
    </th>
  );
  const cell = (value: number | undefined) => (
    <td class="number">{value === undefined ? "" : formatValue(value, unit)}</td>
  );
  return (
    <div class="legend">
      <table>
        <thead>
          <tr>
            {head("name", "Series")}
            {head("last", "Last")}
            {head("min", "Min")}
            {head("mean", "Mean")}
            {head("max", "Max")}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.at} class={hidden.has(row.name) ? "off" : ""}>
              <td>
                <button
                  type="button"
                  class="pick"
                  title="Click: only this one. Ctrl-click: hide or show it."
                  onClick={(event) => props.onPick(row.name, event.ctrlKey || event.metaKey)}
                >
                  <i class="swatch" style={{ background: seriesColor(row.at, props.dark) }} />
                  {row.name}
                </button>
              </td>
              {cell(row.summary?.last)}
              {cell(row.summary?.min)}
              {cell(row.summary?.mean)}
              {cell(row.summary?.max)}
            </tr>
          ))}
        </tbody>
      </table>
      {data.dropped > 0 && (
        <p class="muted">
          {data.dropped} more series are not drawn; aggregate them (sum by …) or use topk to choose.
        </p>
      )}
    </div>
  );
}
