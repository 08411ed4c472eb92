// SPDX-License-Identifier: Apache-2.0
// A time-series chart: uPlot with our tooltip and legend. Drag to zoom; charts with one `syncKey`
// share the crosshair.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { shortNames } from "../lib/labels";
import { dark, zone } from "../lib/settings";
import { type ChartData, type ChartPoint, drawnColumns, type Summary } from "./chart_data";
import { type ChartStyle, chartOptions, type Hover, type Mark } from "./chart_options";
import { ChartTooltip } from "./chart_tooltip";
import { Legend, type LegendKind } from "./legend";

export type { ChartStyle } from "./chart_options";

const noMarks: Mark[] = [];
const noPoints: ChartPoint[] = [];
const allSummaries: (keyof Summary)[] = ["last", "min", "mean", "max"];

export function Chart(props: {
  data: ChartData;
  style: ChartStyle;
  height: number;
  syncKey: string;
  onZoom: (fromMs: number, toMs: number) => void;
  marks?: Mark[];
  points?: ChartPoint[]; // exemplars
  onPoint?: (point: ChartPoint) => void; // one was clicked
  legend?: LegendKind;
  legendValues?: (keyof Summary)[];
}) {
  const { data, style, height, syncKey, marks = noMarks, points = noPoints } = props;
  const { legend = "table" } = props;
  const box = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [hover, setHover] = useState<Hover | null>(null);
  const [focused, setFocused] = useState<number | null>(null);
  const [inside, setInside] = useState(false); // other charts' crosshairs come with ours
  const isDark = dark.value;
  const timeZone = zone.value;
  const styleKey = JSON.stringify(style);

  const shown = useMemo(
    () => data.series.flatMap((s, at) => (hidden.has(s.name) ? [] : [at])),
    [data, hidden],
  );
  const names = useMemo(() => shortNames(data.series), [data]);
  const notPositive = useMemo(() => {
    if (!style.log) return 0;
    return data.series.reduce(
      (sum, s) => sum + s.values.filter((v) => v !== null && v <= 0).length,
      0,
    );
  }, [data, style.log]);

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
      chartOptions(data, shown, stacked, style, marks, points, size, syncKey, {
        zoom: (from, to) => latest.current.onZoom(from, to),
        hover: setHover,
        focus: setFocused,
        pick: (point) => latest.current.onPoint?.(point),
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
  }, [data, shown, styleKey, marks, points, height, syncKey, isDark, timeZone]);

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
      <div
        class="plot"
        ref={box}
        style={{ height: `${height}px` }}
        onPointerEnter={() => setInside(true)}
        onPointerLeave={() => setInside(false)}
      />
      {inside && hover && (
        <ChartTooltip
          data={data}
          names={names}
          shown={shown}
          hover={hover}
          focused={focused}
          style={style}
          marks={marks}
        />
      )}
      {data.dropped > 0 && (
        <p class="muted chart-note">
          The first {data.series.length} of {data.series.length + data.dropped} series are drawn;
          aggregate them (sum by …) or choose with topk.
        </p>
      )}
      {Boolean(data.notFinite) && (
        <p class="muted chart-note">{data.notFinite} samples are NaN or infinite: gaps here.</p>
      )}
      {notPositive > 0 && (
        <p class="muted chart-note">
          {notPositive} samples are zero or negative, which a logarithmic axis has no place for.
        </p>
      )}
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
