// SPDX-License-Identifier: Apache-2.0
// A table that sorts by any column and draws a stated number of rows at most.
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";

export interface TableColumn<Row> {
  title: string;
  show: (row: Row) => ComponentChildren;
  sort?: (row: Row) => string | number; // without it the column does not sort
  number?: boolean;
}

const rowsAtOnce = 500;

export function DataTable<Row>(props: {
  columns: TableColumn<Row>[];
  rows: Row[];
  rowKey: (row: Row, at: number) => string;
  caption: string; // for screen readers
}) {
  const { columns, rows } = props;
  const [order, setOrder] = useState<{ column: number; down: boolean } | undefined>();
  const [shown, setShown] = useState(rowsAtOnce);
  const sorted = useMemo(() => {
    const by = order && columns[order.column]?.sort;
    if (!by) return rows;
    const keyed = rows.map((row) => ({ row, key: by(row) }));
    keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    if (order.down) keyed.reverse();
    return keyed.map((k) => k.row);
  }, [rows, order, columns]);
  const turn = (column: number) =>
    setOrder((old) =>
      old?.column !== column
        ? { column, down: columns[column]?.number ?? false }
        : { column, down: !old.down },
    );
  return (
    <div class="table-scroll">
      <table>
        <caption class="hidden">{props.caption}</caption>
        <thead>
          <tr>
            {columns.map((column, at) => (
              <th
                key={column.title}
                class={column.number ? "number" : ""}
                aria-sort={
                  order?.column === at ? (order.down ? "descending" : "ascending") : undefined
                }
              >
                {column.sort ? (
                  <button type="button" class="head" onClick={() => turn(at)}>
                    {column.title}
                    <span aria-hidden="true">
                      {order?.column === at ? (order.down ? " ▾" : " ▴") : ""}
                    </span>
                  </button>
                ) : (
                  column.title
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, shown).map((row, at) => (
            <tr key={props.rowKey(row, at)}>
              {columns.map((column) => (
                <td key={column.title} class={column.number ? "number" : ""}>
                  {column.show(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > shown && (
        <p class="muted">
          {shown} of {sorted.length} rows.{" "}
          <button type="button" class="link" onClick={() => setShown(shown + 2000)}>
            Show more
          </button>
        </p>
      )}
    </div>
  );
}
