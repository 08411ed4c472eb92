// SPDX-License-Identifier: Apache-2.0
// Panels that show one number for each series: stat, gauge, bar gauge, pie.
import { dark } from "../../lib/settings";
import { seriesColor } from "../../parts/chart_data";
import { colorOf, inkOn, show, styleOf, thresholdColor } from "../field";
import { type Cell, framesOf, reduce } from "../frames";
import type { FieldStyle, Panel } from "../model";
import type { PanelData } from "../panel_results";
import { transform } from "../transform";

interface Value {
  name: string;
  value: Cell;
  style: FieldStyle;
  cells: Cell[];
}

export function valuesOf(panel: Panel, data: PanelData): Value[] {
  const frames = data.results.flatMap(({ query, data: answer }) => framesOf(answer, query));
  return transform(frames, panel.transformations).flatMap((frame) =>
    frame.columns
      .filter((c) => c.kind === "number" || (c.kind === "text" && frame.columns.length === 2))
      .map((column) => {
        const style = styleOf(panel, column.name, frame.query);
        return {
          name: style.name ?? column.name,
          value: reduce(column.cells, panel.calculation),
          style,
          cells: column.cells,
        };
      }),
  );
}

const shownMax = 60;

function More(props: { count: number }) {
  if (props.count <= shownMax) return null;
  return <p class="muted">{props.count - shownMax} more are not shown.</p>;
}

function Spark(props: { cells: Cell[]; color: string }) {
  const numbers = props.cells.map((c) => (typeof c === "number" && Number.isFinite(c) ? c : null));
  const known = numbers.filter((n): n is number => n !== null);
  if (known.length < 2) return null;
  const low = Math.min(...known);
  const high = Math.max(...known);
  const y = (n: number) => 38 - (36 * (n - low)) / (high - low || 1);
  const points = numbers
    .map((n, i) => (n === null ? "" : `${(100 * i) / (numbers.length - 1)},${y(n).toFixed(1)}`))
    .filter((p) => p !== "");
  return (
    <svg class="spark" viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">
      <polyline
        points={points.join(" ")}
        fill="none"
        stroke={props.color}
        vector-effect="non-scaling-stroke"
      />
    </svg>
  );
}

export function StatPanel(props: { panel: Panel; data: PanelData }) {
  const { panel, data } = props;
  const values = valuesOf(panel, data);
  const isDark = dark.value;
  const background = panel.options.colorMode === "background";
  const plain = panel.options.colorMode === "none";
  const names =
    panel.options.textMode !== "value" &&
    (values.length > 1 ||
      panel.options.textMode === "name" ||
      panel.options.textMode === "value_and_name");
  return (
    <div class="stats-grid">
      {values.slice(0, shownMax).map((v, at) => {
        const shown = show(v.value, v.style);
        const color = shown.color && !plain ? colorOf(shown.color, isDark) : "var(--ink)";
        const text = panel.options.textMode === "name" ? v.name : shown.text;
        return (
          <div
            key={`${at}/${v.name}`}
            class={`stat ${background && shown.color ? "filled" : ""}`}
            style={background && shown.color ? { background: color, color: inkOn(color) } : {}}
          >
            {names && <span class="stat-name">{v.name}</span>}
            <span
              class="stat-value"
              style={{ ...(background ? {} : { color }), "--chars": Math.max(text.length, 3) }}
            >
              {text}
            </span>
            {panel.options.spark === true && <Spark cells={v.cells} color={color} />}
          </div>
        );
      })}
      <More count={values.length} />
    </div>
  );
}

function bounds(style: FieldStyle, values: Value[]): { min: number; max: number } {
  const numbers = values.flatMap((v) => (typeof v.value === "number" ? [v.value] : []));
  const percent = style.unit === "percent" ? 100 : style.unit === "percentunit" ? 1 : undefined;
  const min = style.min ?? Math.min(0, ...numbers);
  const max = style.max ?? percent ?? Math.max(...numbers, min + 1e-9);
  return { min, max };
}

const share = (value: Cell, { min, max }: { min: number; max: number }) =>
  typeof value === "number" && max > min
    ? Math.min(Math.max((value - min) / (max - min), 0), 1)
    : 0;

export function GaugePanel(props: { panel: Panel; data: PanelData }) {
  const { panel, data } = props;
  const values = valuesOf(panel, data);
  const isDark = dark.value;
  const length = Math.PI * 40;
  return (
    <div class="stats-grid">
      {values.slice(0, shownMax).map((v, at) => {
        const shown = show(v.value, v.style);
        const range = bounds(v.style, values);
        const part = share(v.value, range);
        return (
          <figure class="gauge" key={`${at}/${v.name}`}>
            <svg viewBox="0 0 100 58" role="img" aria-label={`${v.name}: ${shown.text}`}>
              <path d="M10 52a40 40 0 0 1 80 0" class="gauge-back" />
              <path
                d="M10 52a40 40 0 0 1 80 0"
                class="gauge-fill"
                stroke={colorOf(shown.color ?? "green", isDark)}
                stroke-dasharray={`${part * length} ${length}`}
              />
              <text x="50" y="50" text-anchor="middle">
                {shown.text}
              </text>
            </svg>
            {values.length > 1 && <figcaption>{v.name}</figcaption>}
          </figure>
        );
      })}
      <More count={values.length} />
    </div>
  );
}

export function BarGaugePanel(props: { panel: Panel; data: PanelData }) {
  const { panel, data } = props;
  const values = valuesOf(panel, data);
  const isDark = dark.value;
  return (
    <div class="bars-list">
      {values.slice(0, shownMax).map((v, at) => {
        const shown = show(v.value, v.style);
        const range = bounds(v.style, values);
        const color = colorOf(shown.color ?? thresholdColor(0, v.style) ?? "green", isDark);
        return (
          <div class="bar-row" key={`${at}/${v.name}`}>
            <span class="bar-name" title={v.name}>
              {v.name}
            </span>
            <span class="bar-track">
              <i style={{ width: `${100 * share(v.value, range)}%`, background: color }} />
            </span>
            <b>{shown.text}</b>
          </div>
        );
      })}
      <More count={values.length} />
    </div>
  );
}

export function PiePanel(props: { panel: Panel; data: PanelData }) {
  const { panel, data } = props;
  const isDark = dark.value;
  const values = valuesOf(panel, data).filter((v) => typeof v.value === "number" && v.value > 0);
  const total = values.reduce((sum, v) => sum + Number(v.value), 0);
  let turn = 0;
  const slices = values.slice(0, shownMax).map((v, at) => {
    const from = turn;
    turn += Number(v.value) / total;
    const color = v.style.color ? colorOf(v.style.color, isDark) : seriesColor(at, isDark);
    return { ...v, from, to: turn, color, shown: show(v.value, v.style).text };
  });
  const point = (t: number) =>
    `${(50 + 46 * Math.sin(2 * Math.PI * t)).toFixed(2)} ${(50 - 46 * Math.cos(2 * Math.PI * t)).toFixed(2)}`;
  return (
    <div class="pie">
      <svg viewBox="0 0 100 100" role="img" aria-label={panel.title}>
        {slices.map((s) =>
          s.to - s.from > 0.9999 ? (
            <circle key={s.name} cx="50" cy="50" r="46" fill={s.color} />
          ) : (
            <path
              key={s.name}
              d={`M50 50L${point(s.from)}A46 46 0 ${s.to - s.from > 0.5 ? 1 : 0} 1 ${point(s.to)}Z`}
              fill={s.color}
            >
              <title>{`${s.name}: ${s.shown}`}</title>
            </path>
          ),
        )}
        {panel.options.donut === true && <circle cx="50" cy="50" r="26" class="pie-hole" />}
      </svg>
      <ul>
        {slices.map((s) => (
          <li key={s.name}>
            <i class="swatch" style={{ background: s.color }} />
            {s.name} <b>{s.shown}</b>{" "}
            <span class="muted">{`${(100 * (s.to - s.from)).toFixed(1)}\u00a0%`}</span>
          </li>
        ))}
      </ul>
      <More count={values.length} />
    </div>
  );
}
