// SPDX-License-Identifier: Apache-2.0
// A table that sorts by any column and draws a stated number of rows at most; rows may open to show
// more.
import { type ComponentChildren, Fragment } from "preact";
import { useMemo, useState } from "preact/hooks";

export interface TableColumn<Row> {
  title: string;
  titleHidden?: boolean; // only for screen readers
  show: (row: Row) => ComponentChildren;
  sort?: (row: Row) => string | number; // without it the column does not sort
  number?: boolean;
  share?: number; // percent of the width that it would have: tables below each other line up
}

const rowsAtOnce = 500;

export function DataTable<Row>(props: {
  columns: TableColumn<Row>[];
  rows: Row[];
  rowKey: (row: Row, at: number) => string;
  caption: string; // for screen readers
  order?: { column: number; down: boolean }; // at first
  detail?: { title: string; show: (row: Row) => ComponentChildren }; // below an opened row
}) {
  const { columns, rows, detail } = props;
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const turnOpen = (key: string) =>
    setOpened((old) => {
      const next = new Set(old);
      if (!next.delete(key)) next.add(key);
      return next;
    });
  const [order, setOrder] = useState<{ column: number; down: boolean } | undefined>(props.order);
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
            {detail && (
              <th class="opener">
                <span class="hidden">{detail.title}</span>
              </th>
            )}
            {columns.map((column, at) => (
              <th
                key={column.title}
                class={column.number ? "number" : ""}
                style={column.share ? { width: `${column.share}%` } : {}}
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
                  <span class={column.titleHidden ? "hidden" : ""}>{column.title}</span>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, shown).map((row, at) => {
            const key = props.rowKey(row, at);
            const open = opened.has(key);
            return (
              <Fragment key={key}>
                <tr>
                  {detail && (
                    <td class="opener">
                      <button
                        type="button"
                        class="icon"
                        title={detail.title}
                        aria-label={detail.title}
                        aria-expanded={open}
                        onClick={() => turnOpen(key)}
                      >
                        {open ? "▾" : "▸"}
                      </button>
                    </td>
                  )}
                  {columns.map((column) => (
                    <td key={column.title} class={column.number ? "number" : ""}>
                      {column.show(row)}
                    </td>
                  ))}
                </tr>
                {detail && open && (
                  <tr class="detail">
                    <td colSpan={columns.length + 1}>{detail.show(row)}</td>
                  </tr>
                )}
              </Fragment>
            );
          })}
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
