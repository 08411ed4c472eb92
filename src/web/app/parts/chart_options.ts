// SPDX-License-Identifier: Apache-2.0
// What uPlot is told: scales, axes, lines, and what is drawn above them.
import uPlot from "uplot";
import { dark, zone } from "../lib/settings";
import { formatTime } from "../lib/time";
import { formatValue, increments } from "../lib/units";
import { type ChartData, type ChartPoint, seriesColor, stackBands } from "./chart_data";

export interface ChartStyle {
  mode: "line" | "stacked" | "points" | "heatmap"; // a heatmap is drawn elsewhere
  log: boolean;
  unit: string;
  decimals?: number;
  min?: number;
  max?: number;
  softMin?: number;
  softMax?: number;
  axisLabel?: string;
  rightUnit?: string;
  thresholds?: { value: number; color: string }[];
}
export interface Mark {
  fromS: number;
  toS: number;
  color: string;
  text: string;
}
// Where the pointer is: the index of the time, the place in the window, and the point close by.
export interface Hover {
  at: number;
  x: number;
  y: number;
  point?: ChartPoint;
}
export interface ChartEvents {
  zoom: (fromMs: number, toMs: number) => void;
  annotate?: (fromMs: number, toMs: number) => void; // dragged or clicked with Ctrl
  hover: (hover: Hover | null) => void;
  focus: (series: number | null) => void;
  pick: (point: ChartPoint) => void;
}

const pointReachPx = 9;
// An exemplar's value need not be of the lines' unit (think of a rate): outside of the axis it is
// drawn at its edge.
function pointPlace(plot: uPlot, point: ChartPoint): { x: number; y: number } {
  const { bbox } = plot;
  const y = plot.valToPos(point.value, "y", true);
  const inside = Number.isFinite(y)
    ? Math.min(Math.max(y, bbox.top + 5), bbox.top + bbox.height - 5)
    : bbox.top + 5;
  return { x: plot.valToPos(point.timeS, "x", true), y: inside };
}

function nearestPoint(plot: uPlot, points: ChartPoint[]): ChartPoint | undefined {
  const { left, top } = plot.cursor;
  if (left === undefined || top === undefined || left < 0) return undefined;
  const ratio = devicePixelRatio || 1;
  const x = left * ratio + plot.bbox.left;
  const y = top * ratio + plot.bbox.top;
  let best: ChartPoint | undefined;
  let least = pointReachPx * ratio;
  for (const point of points) {
    const place = pointPlace(plot, point);
    const distance = Math.hypot(place.x - x, place.y - y);
    if (distance >= least) continue;
    least = distance;
    best = point;
  }
  return best;
}

function drawPoints(plot: uPlot, points: ChartPoint[]): void {
  const { ctx } = plot;
  const size = 4 * (devicePixelRatio || 1);
  ctx.fillStyle = dark.value ? "#fbbf4a" : "#b45309";
  ctx.strokeStyle = dark.value ? "#10141c" : "#ffffff";
  ctx.lineWidth = 1;
  ctx.setLineDash([]);
  for (const point of points) {
    const { x, y } = pointPlace(plot, point);
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
}

// Distances between ticks of time, in seconds: uPlot's own jump from one minute to five.
const timeSteps = [
  ...[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((minutes) => 60 * minutes),
  ...[1, 2, 3, 4, 6, 12].map((hours) => 3600 * hours),
  ...[1, 2, 4, 7, 14, 30, 60, 90, 180, 365].map((days) => 86_400 * days),
];

function axisTime(ms: number, spanS: number): string {
  const text = formatTime(ms, zone.value);
  if (spanS > 2 * 86400) return text.slice(5, 16);
  return spanS > 600 ? text.slice(11, 16) : text.slice(11, 19);
}

function withAlpha(color: string, alpha: number): string {
  return `color-mix(in srgb, ${color} ${Math.round(alpha * 100)}%, transparent)`;
}

// Canvas wants a plain colour: let the browser work the mix out.
const probe = document.createElement("canvas").getContext("2d");
export function canvasColor(color: string, alpha: number): string {
  if (!probe) return color;
  probe.fillStyle = "#000";
  probe.fillStyle = color;
  const plain = String(probe.fillStyle);
  const hex = /^#(..)(..)(..)$/.exec(plain);
  if (!hex) return withAlpha(color, alpha);
  const [r, g, b] = hex.slice(1).map((h) => Number.parseInt(h, 16));
  return `rgba(${r},${g},${b},${alpha})`;
}

function yRange(style: ChartStyle): uPlot.Range.Function {
  return (_, dataMin, dataMax) => {
    if (style.log) return [Math.max(dataMin ?? 1e-12, 1e-12), Math.max(dataMax ?? 1, 1e-11)];
    let low = Math.min(dataMin ?? 0, style.softMin ?? Number.POSITIVE_INFINITY);
    let high = Math.max(dataMax ?? 1, style.softMax ?? Number.NEGATIVE_INFINITY);
    if (style.mode === "stacked") low = Math.min(low, 0);
    if (low === 0 && high === 0) return [style.min ?? 0, style.max ?? 1];
    if (low === high) {
      low -= Math.abs(low) * 0.1 || 0.5;
      high += Math.abs(high) * 0.1 || 0.5;
    }
    const [a, b] = uPlot.rangeNum(low, high, 0.06, true);
    // Without a negative value the ground is zero where that is near.
    const ground = low >= 0 && (a ?? 0) < 0 ? 0 : (a ?? 0);
    return [style.min ?? ground, style.max ?? b ?? 1];
  };
}

function path(look: ChartData["series"][number]["look"]): uPlot.Series.PathBuilder | undefined {
  const { bars, stepped, spline } = uPlot.paths;
  if (look?.draw === "bars") return bars?.({ size: [0.8, 60] });
  if (look?.step === "after") return stepped?.({ align: 1 });
  if (look?.step === "before") return stepped?.({ align: -1 });
  return look?.smooth ? spline?.() : undefined;
}

// Among many lines a thin one tells more; and what is at most a pixel wide is drawn several times
// faster, as nothing has to find out where its edges are.
const thinFrom = 30;
const lineWidth = (lines: number) => (lines >= thinFrom ? 1 : 1.5);

function drawAbove(style: ChartStyle, marks: Mark[], points: ChartPoint[]): (plot: uPlot) => void {
  return (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const { value, color } of style.thresholds ?? []) {
      const y = plot.valToPos(value, "y", true);
      ctx.strokeStyle = canvasColor(color, 0.8);
      ctx.setLineDash([6, 4]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.setLineDash([3, 3]);
    // A stretch is a strip along the time axis and a shade so faint that several at a time, or one
    // over the whole chart, leave the lines to be seen.
    const strip = 3 * (devicePixelRatio || 1);
    for (const mark of marks) {
      const from = plot.valToPos(mark.fromS, "x", true);
      const to = plot.valToPos(mark.toS, "x", true);
      ctx.strokeStyle = canvasColor(mark.color, 0.9);
      if (to > from + 1) {
        ctx.fillStyle = canvasColor(mark.color, 0.05);
        ctx.fillRect(from, bbox.top, to - from, bbox.height);
        ctx.fillStyle = canvasColor(mark.color, 0.8);
        ctx.fillRect(from, bbox.top + bbox.height - strip, to - from, strip);
      }
      if (from < bbox.left + 1) continue; // it began before
      ctx.beginPath();
      ctx.moveTo(from, bbox.top);
      ctx.lineTo(from, bbox.top + bbox.height);
      ctx.stroke();
    }
    drawPoints(plot, points);
    ctx.restore();
  };
}

export function colorFor(data: ChartData, at: number, isDark: boolean): string {
  return data.series[at]?.look?.color ?? seriesColor(at, isDark);
}

export function chartOptions(
  data: ChartData,
  shown: number[],
  stacked: boolean[],
  style: ChartStyle,
  marks: Mark[],
  points: ChartPoint[],
  size: { width: number; height: number },
  syncKey: string,
  events: ChartEvents,
): uPlot.Options {
  const isDark = dark.value;
  const ink = isDark ? "#98a3b6" : "#5b6577";
  const grid = { stroke: isDark ? "#2a3242" : "#e4e8ef", width: 1 };
  let pressed = false; // here, not on a chart that shares the crosshair
  let control = false; // was held when the pointer went down
  const right = shown.some((at) => data.series[at]?.look?.rightAxis);
  const values = (unit: string) => (_: uPlot, splits: number[]) =>
    splits.map((v) => (v === null ? "" : formatValue(v, unit, style.decimals)));
  const valueAxis = (unit: string): uPlot.Axis => ({
    stroke: ink,
    grid,
    ticks: grid,
    space: 32,
    size: (_, texts) => 24 + 6.6 * Math.max(3, ...(texts ?? []).map((t) => t.length)),
    values: values(unit),
    ...(increments(unit) ? { incrs: increments(unit) as number[] } : {}),
    ...(style.axisLabel
      ? { label: style.axisLabel, labelSize: 18, labelFont: "11px sans-serif" }
      : {}),
  });
  return {
    ...size,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: {
      sync: { key: syncKey, setSeries: false },
      focus: { prox: 24 },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      // Each point is an element: among many lines only the nearest one has it.
      points: { size: 6, one: shown.length >= thinFrom },
    },
    focus: { alpha: 0.35 },
    scales: {
      x: { time: true },
      y: { distr: style.log ? 3 : 1, range: yRange(style) },
      ...(right ? { right: { range: yRange({ mode: style.mode, log: false, unit: "" }) } } : {}),
    },
    axes: [
      {
        stroke: ink,
        grid,
        ticks: grid,
        space: 70,
        incrs: timeSteps,
        size: 30,
        values: (plot, splits) => {
          const { min, max } = plot.scales.x ?? {};
          const spanS = (max ?? 0) - (min ?? 0);
          return splits.map((s) => axisTime(s * 1000, spanS));
        },
      },
      valueAxis(style.unit),
      ...(right
        ? [
            {
              ...valueAxis(style.rightUnit ?? style.unit),
              scale: "right",
              side: 1 as const,
              grid: { show: false },
            },
          ]
        : []),
    ],
    bands: stackBands(
      shown.flatMap((at) => data.series[at] ?? []),
      stacked,
    ).map(([upper, lower]) => ({ series: [upper + 1, lower + 1] as [number, number] })),
    series: [
      {},
      ...shown.map((at, i): uPlot.Series => {
        const look = data.series[at]?.look;
        const color = colorFor(data, at, isDark);
        const points = style.mode === "points" || look?.draw === "points";
        const fill = look?.fill ?? (stacked[i] ? 35 : 0);
        const builder = path(look);
        return {
          label: data.series[at]?.name ?? "",
          scale: look?.rightAxis ? "right" : "y",
          stroke: color,
          width: points ? 0 : (look?.width ?? lineWidth(shown.length)),
          ...(fill > 0 ? { fill: canvasColor(color, fill / 100) } : {}),
          ...(look?.dash && look.dash.length > 0 ? { dash: look.dash } : {}),
          ...(builder ? { paths: builder } : {}),
          points: points ? { show: true, size: 4, fill: color } : {},
          spanGaps: look?.connectGaps ?? false,
        };
      }),
    ],
    hooks: {
      draw: [drawAbove(style, marks, points)],
      ready: [
        (plot) => {
          plot.over.addEventListener("mousedown", (event) => {
            pressed = true;
            control = event.ctrlKey || event.metaKey;
          });
          plot.over.addEventListener("click", (event) => {
            if (control && plot.select.width < 4) {
              const at = plot.posToVal(event.offsetX, "x") * 1000;
              events.annotate?.(at, at);
              return;
            }
            const point = nearestPoint(plot, points);
            if (point) events.pick(point);
          });
        },
      ],
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return;
          const from = plot.posToVal(plot.select.left, "x") * 1000;
          const to = plot.posToVal(plot.select.left + plot.select.width, "x") * 1000;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (!pressed) return;
          pressed = false;
          if (control && events.annotate) events.annotate(from, to);
          else events.zoom(from, to);
        },
      ],
      setCursor: [
        (plot) => {
          const at = plot.cursor.idx;
          if (at === null || at === undefined) return events.hover(null);
          const box = plot.over.getBoundingClientRect();
          const point = points.length > 0 ? nearestPoint(plot, points) : undefined;
          const { left = 0, top = 0 } = plot.cursor;
          events.hover({ at, x: box.left + left, y: box.top + top, ...(point ? { point } : {}) });
        },
      ],
      setSeries: [(_, at) => events.focus(at !== null && at > 0 ? (shown[at - 1] ?? null) : null)],
    },
  };
}
