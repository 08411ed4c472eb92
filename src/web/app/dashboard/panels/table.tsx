// SPDX-License-Identifier: Apache-2.0
import { useMemo } from "preact/hooks";
import { dark, zone } from "../../lib/settings";
import { formatTime } from "../../lib/time";
import { DataTable, type TableColumn } from "../../parts/data_table";
import { colorOf, inkOn, type Shown, show, styleOf } from "../field";
import { type Cell, type Frame, framesOf, reduce, rowsOf } from "../frames";
import { type FieldStyle, type Panel, safeUrl, withValue } from "../model";
import type { PanelData } from "../panel_results";
import { transform } from "../transform";

// A table of one frame; several frames without a transformation become a row per series.
function oneFrame(panel: Panel, data: PanelData): Frame | undefined {
  const frames = transform(
    data.results.flatMap(({ query, data: answer }) => framesOf(answer, query)),
    panel.transformations,
  );
  if (frames.length <= 1) return frames[0];
  if (frames.every((f) => f.columns.length === 2)) {
    const fields = frames.flatMap((f) => f.columns.filter((c) => c.kind === "number"));
    return {
      query: "",
      name: "",
      columns: [
        { name: "Series", kind: "text", labels: {}, cells: fields.map((f) => f.name) },
        {
          name: "Value",
          kind: "number",
          labels: {},
          cells: fields.map((f) => reduce(f.cells, panel.calculation)),
        },
      ],
    };
  }
  return transform(frames, [{ kind: "merge", options: {} }])[0];
}

// Colours are for those who ask for them, as in Grafana: a column of red numbers says nothing.
function TableCell(props: { value: Cell; style: FieldStyle; shown: Shown; isDark: boolean }) {
  const { value, style, shown, isDark } = props;
  const mapped = (style.mappings ?? []).length > 0;
  const color = shown.color && colorOf(shown.color, isDark);
  if (style.cell === "background" && color) {
    return (
      <span class="cell-filled" style={{ background: color, color: inkOn(color) }}>
        {shown.text}
      </span>
    );
  }
  if (style.cell === "gauge" && typeof value === "number") {
    const unitMax = style.unit === "percentunit" ? 1 : 100;
    const { min = 0, max = unitMax } = style;
    const part = Math.min(Math.max((value - min) / (max - min || 1), 0), 1);
    return (
      <span class="cell-gauge">
        <span class="bar-track">
          <i style={{ width: `${100 * part}%`, background: color ?? "var(--accent)" }} />
        </span>
        {shown.text}
      </span>
    );
  }
  const colored = color && (style.cell === "color" || mapped);
  return <span style={colored ? { color } : {}}>{shown.text}</span>;
}

export function TablePanel(props: { panel: Panel; data: PanelData }) {
  const { panel, data } = props;
  const frame = useMemo(() => oneFrame(panel, data), [panel, data]);
  const isDark = dark.value;
  if (!frame || rowsOf(frame) === 0) return <p class="muted">No rows.</p>;
  const rows = Array.from({ length: rowsOf(frame) }, (_, i) => i);
  const columns: TableColumn<number>[] = frame.columns.flatMap((column) => {
    const style = styleOf(panel, column.name, frame.query);
    if (style.hiddenColumn) return [];
    const link = style.links?.[0];
    const cell = (row: number): Cell => column.cells[row] ?? null;
    return [
      {
        title: style.name ?? column.name,
        number: column.kind === "number",
        sort: (row: number) => cell(row) ?? "",
        show: (row: number) => {
          const value = cell(row);
          if (column.kind === "time") {
            return typeof value === "number" ? formatTime(value, zone.value) : "";
          }
          const shown = show(value, style);
          const text = <TableCell value={value} style={style} shown={shown} isDark={isDark} />;
          const url = link && safeUrl(withValue(link.url, value));
          return url ? (
            <a href={url} target="_blank" rel="noreferrer">
              {text}
            </a>
          ) : (
            text
          );
        },
      },
    ];
  });
  const sortBy = columns.findIndex((c) => c.title === panel.options.sortBy);
  return (
    <DataTable
      caption={panel.title}
      columns={columns}
      rows={rows}
      rowKey={(row) => String(row)}
      {...(sortBy >= 0 ? { order: { column: sortBy, down: panel.options.sortDown === true } } : {})}
    />
  );
}
