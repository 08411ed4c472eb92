// SPDX-License-Identifier: Apache-2.0
// A heatmap: x is time, y the buckets of classic histograms (label le) or of native ones.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { dark, zone } from "../../lib/settings";
import { formatTime } from "../../lib/time";
import { formatValue } from "../../lib/units";
import { type Heat, type HeatCell, heatOf } from "../heat";
import type { Panel } from "../model";
import type { PanelData } from "../panel_results";

// From little to much, for a dark and a light ground.
const ramps: Record<"dark" | "light", [number, number, number][]> = {
  dark: [
    [27, 36, 62],
    [45, 85, 150],
    [52, 150, 168],
    [150, 205, 130],
    [253, 231, 120],
  ],
  light: [
    [228, 236, 247],
    [150, 190, 230],
    [70, 130, 200],
    [60, 70, 160],
    [70, 20, 100],
  ],
};

// `strength` from 0 to 1.
export function heatColor(strength: number, isDark: boolean): string {
  const ramp = ramps[isDark ? "dark" : "light"];
  const at = Math.min(Math.max(strength, 0), 1) * (ramp.length - 1);
  const low = ramp[Math.floor(at)] ?? [0, 0, 0];
  const high = ramp[Math.ceil(at)] ?? low;
  const mix = low.map((c, i) => Math.round(c + ((high[i] ?? c) - c) * (at - Math.floor(at))));
  return `rgb(${mix.join(" ")})`;
}

// The axis: logarithmic where the buckets grow, as they do for durations and sizes.
function scaleOf(heat: Heat): { place: (value: number) => number; low: number; log: boolean } {
  const log = heat.low >= 0 && heat.high > 0;
  if (!log) {
    const span = heat.high - heat.low || 1;
    return { place: (value) => (value - heat.low) / span, low: heat.low, log };
  }
  const least = heat.columns
    .flat()
    .filter((c) => c.high > 0 && Number.isFinite(c.high) && c.count > 0)
    .reduce((a, c) => Math.min(a, c.low > 0 ? c.low : c.high / 2), Number.POSITIVE_INFINITY);
  const span = Math.log(heat.high / least) || 1;
  return { place: (value) => Math.log(Math.max(value, least) / least) / span, low: least, log };
}

// Bounds of buckets that are at least so far apart.
function ticksOf(heat: Heat, place: (value: number) => number, countMax: number): number[] {
  const bounds = new Set<number>();
  for (const cell of heat.columns.flat()) {
    if (cell.count <= 0) continue;
    if (Number.isFinite(cell.low)) bounds.add(cell.low);
    if (Number.isFinite(cell.high)) bounds.add(cell.high);
  }
  const ticks: number[] = [];
  for (const bound of [...bounds].sort((a, b) => a - b)) {
    const at = place(bound);
    const last = ticks.at(-1);
    if (at < 0 || at > 1) continue;
    if (last === undefined || at - place(last) >= 1 / countMax) ticks.push(bound);
  }
  return ticks;
}

const axisPx = { left: 62, bottom: 22, top: 6 };
const timeTickPx = 110;

export function HeatmapPanel(props: { panel: Panel; data: PanelData; height?: number }) {
  const { panel, data, height } = props;
  const heat = useMemo(() => heatOf(data), [data]);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [hover, setHover] = useState<{ x: number; y: number; at: number; cell: HeatCell }>();
  const isDark = dark.value;
  const unit = panel.style.unit ?? "short";
  const scale = useMemo(() => scaleOf(heat), [heat]);
  const top = (cell: HeatCell) => (Number.isFinite(cell.high) ? cell.high : heat.high * 1.5);
  const plot = {
    width: Math.max(size.width - axisPx.left, 10),
    height: Math.max(size.height - axisPx.bottom - axisPx.top, 10),
  };
  const empty = heat.max === 0;
  useEffect(() => {
    const element = canvas.current?.parentElement;
    if (!element) return;
    const measure = () =>
      setSize((old) =>
        old.width === element.clientWidth && old.height === element.clientHeight
          ? old
          : { width: element.clientWidth, height: element.clientHeight },
      );
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [empty]);
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || empty || size.width === 0) return;
    const ratio = devicePixelRatio || 1;
    element.width = size.width * ratio;
    element.height = size.height * ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const yOf = (value: number) =>
      axisPx.top + plot.height * (1 - Math.min(Math.max(scale.place(value), 0), 1));
    const w = plot.width / heat.columns.length;
    heat.columns.forEach((column, at) => {
      const left = axisPx.left + Math.floor(at * w);
      const right = axisPx.left + Math.floor((at + 1) * w);
      for (const cell of column) {
        if (cell.count <= 0) continue;
        const from = yOf(top(cell));
        context.fillStyle = heatColor(Math.sqrt(cell.count / heat.max), isDark);
        context.fillRect(left, from, Math.max(right - left, 1), Math.max(yOf(cell.low) - from, 1));
      }
    });
    context.fillStyle = isDark ? "#98a3b6" : "#5b6577";
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const tick of ticksOf(heat, scale.place, Math.max(Math.floor(plot.height / 26), 2))) {
      const y = Math.min(Math.max(yOf(tick), axisPx.top + 5), axisPx.top + plot.height - 5);
      context.fillText(formatValue(tick, unit), axisPx.left - 6, y);
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    const count = Math.max(Math.floor(plot.width / timeTickPx), 1);
    const spanS = (heat.timesS.at(-1) ?? 0) - (heat.timesS[0] ?? 0);
    for (let i = 0; i < count; ++i) {
      const share = (i + 0.5) / count;
      const time = heat.timesS[Math.floor(share * heat.timesS.length)] ?? 0;
      const text = formatTime(time * 1000, zone.value);
      const shown = spanS > 2 * 86_400 ? text.slice(5, 16) : text.slice(11, 16);
      context.fillText(shown, axisPx.left + share * plot.width, axisPx.top + plot.height + 6);
    }
  }, [heat, isDark, size, unit, zone.value]);
  if (empty) {
    return (
      <p class="muted">
        No buckets. A heatmap takes native histograms, or sum by (le) of a classic histogram's rate.
      </p>
    );
  }
  const onMove = (event: PointerEvent) => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box) return;
    const at = Math.floor(
      ((event.clientX - box.left - axisPx.left) / plot.width) * heat.columns.length,
    );
    const y = 1 - (event.clientY - box.top - axisPx.top) / plot.height;
    const cell = heat.columns[at]?.find(
      (c) => c.count > 0 && scale.place(c.low) <= y && y <= scale.place(top(c)),
    );
    setHover(cell && { x: event.clientX, y: event.clientY, at, cell });
  };
  return (
    <div class="heatmap" style={height === undefined ? {} : { height: `${height}px` }}>
      <div class="heat-plot" onPointerMove={onMove} onPointerLeave={() => setHover(undefined)}>
        <canvas ref={canvas} role="img" aria-label={`Heatmap: ${panel.title}`} />
      </div>
      <div class="heat-legend" aria-hidden="true">
        0
        <i
          style={{
            background: `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1]
              .map((s) => heatColor(s, isDark))
              .join(", ")})`,
          }}
        />
        {formatValue(heat.max)}
      </div>
      {hover && (
        <div
          class="chart-tooltip"
          aria-hidden="true"
          style={{
            left: `${Math.min(hover.x + 14, innerWidth - 220)}px`,
            top: `${Math.max(hover.y - 30, 4)}px`,
          }}
        >
          <b>{formatTime((heat.timesS[hover.at] ?? 0) * 1000, zone.value)}</b>
          <div>
            {formatValue(hover.cell.low, unit)} to {formatValue(hover.cell.high, unit)}:{" "}
            <b>{formatValue(hover.cell.count)}</b>
          </div>
        </div>
      )}
    </div>
  );
}
