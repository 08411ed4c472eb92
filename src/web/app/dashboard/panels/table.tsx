// SPDX-License-Identifier: Apache-2.0
import { useMemo } from "preact/hooks";
import { dark, zone } from "../../lib/settings";
import { formatTime } from "../../lib/time";
import { DataTable, type TableColumn } from "../../parts/data_table";
import { colorOf, show, styleOf } from "../field";
import { type Cell, type Frame, framesOf, reduce, rowsOf } from "../frames";
import { type Panel, safeUrl } from "../model";
import type { PanelData } from "../panel_data";
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
          const text = (
            <span style={shown.color ? { color: colorOf(shown.color, isDark) } : {}}>
              {shown.text}
            </span>
          );
          const url = link && safeUrl(link.url.replaceAll("$" + "{__value.raw}", String(value)));
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
  return (
    <DataTable caption={panel.title} columns={columns} rows={rows} rowKey={(row) => String(row)} />
  );
}
