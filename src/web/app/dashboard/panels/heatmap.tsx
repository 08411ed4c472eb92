// SPDX-License-Identifier: Apache-2.0
// A heatmap: x is time, y the buckets of classic histograms (label le) or of native ones.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { parseValue } from "../../lib/number";
import { dark, zone } from "../../lib/settings";
import { formatTime } from "../../lib/time";
import { formatValue } from "../../lib/units";
import { timesOf } from "../../parts/chart_data";
import type { Panel } from "../model";
import type { PanelData } from "../panel_data";

export interface HeatCell {
  low: number;
  high: number;
  count: number;
}
export interface Heat {
  timesS: number[];
  columns: HeatCell[][]; // by time
  max: number;
  low: number;
  high: number; // of the finite bounds
}

// Buckets of classic histograms are cumulative: each less the one below it.
export function heatOf(data: PanelData): Heat {
  const timesS = timesOf(data.range);
  const columns: HeatCell[][] = timesS.map(() => []);
  const place = (time: number) => Math.round((time - data.range.startS) / data.range.stepS);
  for (const { data: answer } of data.results) {
    if (answer.resultType !== "matrix") continue;
    const classic = new Map<number, Map<number, number>>();
    for (const item of answer.result) {
      for (const [time, histogram] of item.histograms ?? []) {
        for (const [, from, to, count] of histogram.buckets ?? []) {
          columns[place(time)]?.push({ low: Number(from), high: Number(to), count: Number(count) });
        }
      }
      const bound = parseValue(item.metric.le ?? "");
      if (Number.isNaN(bound) || item.metric.le === undefined) continue;
      for (const [time, text] of item.values ?? []) {
        const at = place(time);
        const counts = classic.get(at) ?? new Map<number, number>();
        counts.set(bound, (counts.get(bound) ?? 0) + parseValue(text));
        classic.set(at, counts);
      }
    }
    for (const [at, counts] of classic) {
      let below = 0;
      let low = 0;
      for (const [high, count] of [...counts].sort((a, b) => a[0] - b[0])) {
        columns[at]?.push({ low, high, count: Math.max(count - below, 0) });
        below = Math.max(below, count);
        low = high;
      }
    }
  }
  const cells = columns.flat();
  const bounds = cells
    .filter((c) => c.count > 0)
    .flatMap((c) => [c.low, c.high])
    .filter((b) => Number.isFinite(b));
  return {
    timesS,
    columns,
    max: cells.reduce((max, c) => Math.max(max, c.count), 0),
    low: bounds.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    high: bounds.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
  };
}

export function HeatmapPanel(props: { panel: Panel; data: PanelData; height: number }) {
  const { panel, data, height } = props;
  const heat = useMemo(() => heatOf(data), [data]);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [hover, setHover] = useState("");
  const isDark = dark.value;
  // A logarithmic axis where the buckets grow, as they do for durations and sizes.
  const positive = heat.low > 0 || (heat.low === 0 && heat.high > 0);
  const least = useMemo(() => {
    const found = heat.columns
      .flat()
      .filter((c) => c.high > 0 && Number.isFinite(c.high) && c.count > 0);
    return found.reduce(
      (a, c) => Math.min(a, c.low > 0 ? c.low : c.high / 2),
      Number.POSITIVE_INFINITY,
    );
  }, [heat]);
  const scale = (value: number) => {
    if (!positive) return (value - heat.low) / (heat.high - heat.low || 1);
    const clamped = Math.max(value, least);
    return Math.log(clamped / least) / (Math.log(heat.high / least) || 1);
  };
  const unit = panel.style.unit ?? "short";
  const plotHeight = Math.max(height - 48, 60);
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || heat.max === 0) return;
    const draw = () => {
      const ratio = devicePixelRatio || 1;
      const width = element.clientWidth;
      element.width = width * ratio;
      element.height = plotHeight * ratio;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const w = width / heat.columns.length;
      heat.columns.forEach((column, at) => {
        for (const cell of column) {
          if (cell.count <= 0) continue;
          const high = Number.isFinite(cell.high) ? cell.high : heat.high * 1.5;
          const top = plotHeight * (1 - Math.min(scale(high), 1));
          const bottom = plotHeight * (1 - Math.max(scale(cell.low), 0));
          const strength = Math.sqrt(cell.count / heat.max);
          context.fillStyle = isDark
            ? `hsl(${200 - 160 * strength} 80% ${18 + 50 * strength}%)`
            : `hsl(${210 - 190 * strength} 75% ${92 - 50 * strength}%)`;
          context.fillRect(at * w, top, Math.ceil(w), Math.max(bottom - top, 1));
        }
      });
    };
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(element);
    return () => observer.disconnect();
  }, [heat, isDark, plotHeight]);
  if (heat.max === 0) {
    return (
      <p class="muted">
        No buckets. A heatmap takes native histograms, or sum by (le) of a classic histogram's rate.
      </p>
    );
  }
  const first = heat.timesS[0] ?? 0;
  const last = heat.timesS.at(-1) ?? 0;
  return (
    <div class="heatmap">
      <div class="heat-row">
        <div class="heat-axis" style={{ height: `${plotHeight}px` }}>
          <span>{formatValue(heat.high, unit)}</span>
          <span>{formatValue(positive ? least : heat.low, unit)}</span>
        </div>
        <canvas
          ref={canvas}
          style={{ height: `${plotHeight}px` }}
          onPointerMove={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            const at = Math.floor(((event.clientX - box.left) / box.width) * heat.columns.length);
            const y = 1 - (event.clientY - box.top) / box.height;
            const cell = heat.columns[at]?.find(
              (c) =>
                scale(c.low) <= y && y <= scale(Number.isFinite(c.high) ? c.high : heat.high * 1.5),
            );
            setHover(
              cell
                ? `${formatTime((heat.timesS[at] ?? 0) * 1000, zone.value)}  ${formatValue(cell.low, unit)} to ${formatValue(cell.high, unit)}: ${formatValue(cell.count)}`
                : "",
            );
          }}
          onPointerLeave={() => setHover("")}
        />
      </div>
      <div class="heat-times">
        <span>{formatTime(first * 1000, zone.value).slice(5, 16)}</span>
        <span>{hover}</span>
        <span>{formatTime(last * 1000, zone.value).slice(5, 16)}</span>
      </div>
    </div>
  );
}
