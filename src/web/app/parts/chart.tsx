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
  height: number | "fill"; // pixels of the plot; or what the box around leaves beside the legend
  syncKey: string;
  onZoom: (fromMs: number, toMs: number) => void;
  onAnnotate?: ((fromMs: number, toMs: number) => void) | undefined; // with Ctrl held
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

  const drawn = () => {
    const visible = shown.flatMap((at) => data.series[at] ?? []);
    const { columns, stacked } = drawnColumns(visible, style.mode === "stacked");
    const logged = style.log
      ? columns.map((c) => c.map((v) => (v !== null && v > 0 ? v : null)))
      : columns;
    return { columns: [data.timesS, ...logged] as uPlot.AlignedData, stacked };
  };
  // New points of the same lines are put into the plot that is there: what the user is about to do
  // with the pointer goes on.
  const plot = useRef<{ made: uPlot; of: ChartData } | undefined>(undefined);
  const lines = useMemo(
    () => JSON.stringify([shown, data.series.map((s) => [s.name, s.look])]),
    [data, shown],
  );
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const { columns, stacked } = drawn();
    const size = () => ({
      width: Math.max(element.clientWidth, 100),
      height: height === "fill" ? Math.max(element.clientHeight, 50) : height,
    });
    const made = new uPlot(
      chartOptions(data, shown, stacked, style, marks, points, size(), syncKey, {
        zoom: (from, to) => latest.current.onZoom(from, to),
        ...(latest.current.onAnnotate
          ? {
              annotate: (from: number, to: number) => latest.current.onAnnotate?.(from, to),
            }
          : {}),
        hover: setHover,
        focus: setFocused,
        pick: (point) => latest.current.onPoint?.(point),
      }),
      columns,
      element,
    );
    plot.current = { made, of: data };
    const observer = new ResizeObserver(() => {
      const next = size();
      if (element.clientWidth === 0 || (next.width === made.width && next.height === made.height)) {
        return;
      }
      made.setSize(next);
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [lines, styleKey, marks, points, height, syncKey, isDark, timeZone]);
  useEffect(() => {
    if (!plot.current || plot.current.of === data) return;
    plot.current.of = data;
    plot.current.made.setData(drawn().columns);
  }, [data]);

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
    <div class={height === "fill" ? "chart fill" : "chart"}>
      <div
        class="plot"
        ref={box}
        style={height === "fill" ? {} : { height: `${height}px` }}
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
