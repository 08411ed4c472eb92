// SPDX-License-Identifier: Apache-2.0
// What queries answer, as tables: a frame has columns of equal length. Transformations make frames
// from frames; panels draw them.
import type { QueryData } from "../lib/api";
import { legendText } from "../lib/labels";
import { parseValue } from "../lib/number";
import type { PanelQuery } from "./model";

export type Cell = number | string | null;
export interface Column {
  name: string;
  kind: "time" | "number" | "text";
  labels: Record<string, string>;
  cells: Cell[];
}
export interface Frame {
  query: string; // its id
  name: string;
  columns: Column[];
}

const rowsOf = (frame: Frame) => frame.columns[0]?.cells.length ?? 0;
export { rowsOf };

// One row per series, labels as columns, as Grafana's format "table".
function tableFrame(
  query: PanelQuery,
  items: { metric: Record<string, string>; time: number; value: number }[],
): Frame {
  const names = [...new Set(items.flatMap((item) => Object.keys(item.metric)))].sort();
  return {
    query: query.id,
    name: query.id,
    columns: [
      { name: "Time", kind: "time", labels: {}, cells: items.map((i) => i.time * 1000) },
      ...names.map((name) => ({
        name,
        kind: "text" as const,
        labels: {},
        cells: items.map((i) => i.metric[name] ?? null),
      })),
      {
        name: query.id === "A" ? "Value" : `Value #${query.id}`,
        kind: "number",
        labels: {},
        cells: items.map((i) => i.value),
      },
    ],
  };
}

// A frame per series: time and value; for table queries one for all.
export function framesOf(data: QueryData, query: PanelQuery): Frame[] {
  if (data.resultType === "scalar" || data.resultType === "string") {
    const [time, text] = data.result;
    const value: Cell = data.resultType === "scalar" ? parseValue(text) : text;
    return [
      {
        query: query.id,
        name: query.legend || query.id,
        columns: [
          { name: "Time", kind: "time", labels: {}, cells: [time * 1000] },
          {
            name: query.legend || "Value",
            kind: data.resultType === "scalar" ? "number" : "text",
            labels: {},
            cells: [value],
          },
        ],
      },
    ];
  }
  if (query.table) {
    const items =
      data.resultType === "vector"
        ? data.result.map((i) => ({
            metric: i.metric,
            time: i.value?.[0] ?? i.histogram?.[0] ?? 0,
            value: parseValue(i.value?.[1] ?? i.histogram?.[1].count ?? ""),
          }))
        : data.result.flatMap((i) =>
            (i.values ?? []).map(([time, value]) => ({
              metric: i.metric,
              time,
              value: parseValue(value),
            })),
          );
    return [tableFrame(query, items)];
  }
  const series =
    data.resultType === "vector"
      ? data.result.map((i) => ({ metric: i.metric, points: i.value ? [i.value] : [] }))
      : data.result.map((i) => ({ metric: i.metric, points: i.values ?? [] }));
  return series.map(({ metric, points }) => {
    const name = legendText(query.legend, metric);
    return {
      query: query.id,
      name,
      columns: [
        { name: "Time", kind: "time", labels: {}, cells: points.map(([t]) => t * 1000) },
        { name, kind: "number", labels: metric, cells: points.map(([, v]) => parseValue(v)) },
      ],
    };
  });
}

// A column's cells as one number.
export function reduce(cells: Cell[], calculation: string): number | string | null {
  const numbers = cells.filter((c): c is number => typeof c === "number" && !Number.isNaN(c));
  const last = cells.filter((c) => c !== null).at(-1) ?? null;
  if (numbers.length === 0) return typeof last === "string" ? last : null;
  const sum = numbers.reduce((a, b) => a + b, 0);
  const mean = sum / numbers.length;
  const first = numbers[0] ?? null;
  switch (calculation) {
    case "first":
      return first;
    case "min":
      return numbers.reduce((a, b) => Math.min(a, b));
    case "max":
      return numbers.reduce((a, b) => Math.max(a, b));
    case "mean":
      return mean;
    case "sum":
      return sum;
    case "count":
      return numbers.length;
    case "range":
      return numbers.reduce((a, b) => Math.max(a, b)) - numbers.reduce((a, b) => Math.min(a, b));
    case "delta":
      return (numbers.at(-1) ?? 0) - (first ?? 0);
    case "median": {
      const ordered = [...numbers].sort((a, b) => a - b);
      const half = ordered.length / 2;
      return ((ordered[Math.ceil(half) - 1] ?? 0) + (ordered[Math.floor(half)] ?? 0)) / 2;
    }
    case "stddev":
      return Math.sqrt(numbers.reduce((a, b) => a + (b - mean) ** 2, 0) / numbers.length);
  }
  return typeof last === "number" ? last : (numbers.at(-1) ?? null);
}
