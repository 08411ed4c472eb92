// SPDX-License-Identifier: Apache-2.0
// A chart's legend: a table that sorts, or a line of names. A click shows one series alone, with
// Ctrl it hides or shows it.
import { useMemo, useState } from "preact/hooks";
import { formatValue } from "../lib/units";
import { type ChartData, type Summary, summarize } from "./chart_data";
import { colorFor } from "./chart_options";

export type LegendKind = "list" | "table" | "hidden";
type Key = "name" | keyof Summary;
const titles: Record<keyof Summary, string> = {
  last: "Last",
  min: "Min",
  mean: "Mean",
  max: "Max",
  sum: "Sum",
};

export function Legend(props: {
  data: ChartData;
  hidden: ReadonlySet<string>;
  kind: LegendKind;
  columns: (keyof Summary)[];
  unit: string;
  dark: boolean;
  onPick: (name: string, toggle: boolean) => void;
}) {
  const { data, hidden, kind, columns } = props;
  const [order, setOrder] = useState<{ key: Key; down: boolean } | undefined>(
    kind === "table" && columns.includes("last") ? { key: "last", down: true } : undefined,
  );
  const rows = useMemo(() => {
    // Names alone need no look at the points.
    const summary = columns.length > 0 || (order && order.key !== "name");
    const all = data.series
      .map((s, at) => ({
        at,
        name: s.name,
        look: s.look,
        summary: summary ? summarize(s.values) : undefined,
      }))
      .filter((row) => !row.look?.hiddenInLegend);
    if (!order) return all;
    const key = (row: (typeof all)[number]) =>
      order.key === "name" ? row.name : (row.summary?.[order.key] ?? Number.NEGATIVE_INFINITY);
    all.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    return order.down ? all.reverse() : all;
  }, [data, order, columns.length > 0]);
  if (kind === "hidden") return null;
  const name = (row: (typeof rows)[number]) => (
    <button
      type="button"
      class="pick"
      title="Click: only this one. Ctrl-click: hide or show it."
      onClick={(event) => props.onPick(row.name, event.ctrlKey || event.metaKey)}
    >
      <i class="swatch" style={{ background: colorFor(data, row.at, props.dark) }} />
      {row.name}
    </button>
  );
  if (kind === "list") {
    return (
      <div class="legend list">
        {rows.map((row) => (
          <span key={row.at} class={hidden.has(row.name) ? "off" : ""}>
            {name(row)}
            {columns.map((c) => (
              <span key={c} class="muted">
                {titles[c]}:{" "}
                {row.summary ? formatValue(row.summary[c], row.look?.unit ?? props.unit) : "–"}
              </span>
            ))}
          </span>
        ))}
      </div>
    );
  }
  const head = (key: Key, title: string) => (
    <th key={key} class={key === "name" ? "" : "number"}>
      <button
        type="button"
        class="head"
        onClick={() => setOrder((o) => ({ key, down: o?.key === key ? !o.down : key !== "name" }))}
      >
        {title}
        {order?.key === key ? (order.down ? " ▾" : " ▴") : ""}
      </button>
    </th>
  );
  return (
    <div class="legend">
      <table>
        <thead>
          <tr>
            {head("name", "Series")}
            {columns.map((c) => head(c, titles[c]))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.at} class={hidden.has(row.name) ? "off" : ""}>
              <td>{name(row)}</td>
              {columns.map((c) => (
                <td key={c} class="number">
                  {row.summary ? formatValue(row.summary[c], row.look?.unit ?? props.unit) : ""}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
