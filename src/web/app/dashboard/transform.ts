// SPDX-License-Identifier: Apache-2.0
// The transformations that tables need, by Grafana's names and options.
import { type Cell, type Column, type Frame, reduce, rowsOf } from "./frames";
import { isObject, listOf, objectsOf, type Transformation, textOf } from "./model";

type Options = Record<string, unknown>;
type Transform = (frames: Frame[], options: Options) => Frame[];

const key = (cell: Cell) => `${typeof cell}:${String(cell)}`;
const pick = (column: Column, rows: number[]): Column => ({
  ...column,
  cells: rows.map((row) => column.cells[row] ?? null),
});

type Row = Map<string, Cell>; // by column

// One frame of all: values stand side by side where a row says the same in all columns that are not
// numbers. A row that says less (by instance, beside by instance and device) stands beside each that
// it fits; one that fits none, or would take the place of another value, is a further row.
function merge(frames: Frame[]): Frame[] {
  if (frames.length < 2) return frames;
  const columns = new Map<string, Column>();
  for (const frame of frames) {
    for (const c of frame.columns) if (!columns.has(c.name)) columns.set(c.name, c);
  }
  const named = (frame: Frame) => frame.columns.filter((c) => c.kind !== "number");
  const rows: Row[] = [];
  // What says most comes first: the others find all rows that they fit.
  for (const frame of [...frames].sort((a, b) => named(b).length - named(a).length)) {
    const names = named(frame).map((c) => c.name);
    const count = rowsOf(frame);
    const idOf = (row: Row) => JSON.stringify(names.map((name) => row.get(name) ?? null));
    const fitting = new Map<string, Row[]>();
    // Rows of two frames that say nothing at all have nothing to do with each other.
    for (const row of names.length > 0 || count === 1 ? rows : []) {
      const id = idOf(row);
      const found = fitting.get(id);
      if (found) found.push(row);
      else fitting.set(id, [row]);
    }
    for (let at = 0; at < count; ++at) {
      const cells: Row = new Map(frame.columns.map((c) => [c.name, c.cells[at] ?? null]));
      const free = (fitting.get(idOf(cells)) ?? []).filter((row) =>
        [...cells].every(([name, cell]) => (row.get(name) ?? cell) === cell),
      );
      for (const row of free) for (const [name, cell] of cells) row.set(name, cell);
      if (free.length === 0) rows.push(cells);
    }
  }
  const merged = [...columns.values()].map((column) => ({
    ...column,
    cells: rows.map((row) => row.get(column.name) ?? null),
  }));
  return [{ query: "", name: "", columns: merged }];
}

// A row per series: its name and calculations over its values.
function reduceFrames(frames: Frame[], options: Options): Frame[] {
  const wanted = listOf(options.reducers).map((r) => textOf(r));
  const calculations = wanted.length > 0 ? wanted : ["max"];
  const fields = frames.flatMap((f) => f.columns.filter((c) => c.kind === "number"));
  return [
    {
      query: "",
      name: "",
      columns: [
        { name: "Field", kind: "text", labels: {}, cells: fields.map((f) => f.name) },
        ...calculations.map((c) => ({
          name: c,
          kind: "number" as const,
          labels: {},
          cells: fields.map((f) => reduce(f.cells, c === "lastNotNull" ? "last" : c)),
        })),
      ],
    },
  ];
}

function organize(frames: Frame[], options: Options): Frame[] {
  const excluded = isObject(options.excludeByName) ? options.excludeByName : {};
  const renamed = isObject(options.renameByName) ? options.renameByName : {};
  const order = isObject(options.indexByName) ? options.indexByName : {};
  const place = (column: Column, at: number) => {
    const index = order[column.name];
    return typeof index === "number" ? index : 10_000 + at;
  };
  return frames.map((frame) => ({
    ...frame,
    columns: frame.columns
      .map((column, at) => ({ column, place: place(column, at) }))
      .filter(({ column }) => excluded[column.name] !== true)
      .sort((a, b) => a.place - b.place)
      .map(({ column }) => ({ ...column, name: textOf(renamed[column.name]) || column.name })),
  }));
}

function groupBy(frames: Frame[], options: Options): Frame[] {
  const fields = isObject(options.fields) ? options.fields : {};
  const settings = (name: string) => (isObject(fields[name]) ? fields[name] : {});
  return frames.map((frame) => {
    const keys = frame.columns.filter((c) => settings(c.name).operation === "groupby");
    const groups = new Map<string, number[]>();
    for (let row = 0; row < rowsOf(frame); ++row) {
      const id = keys.map((c) => key(c.cells[row] ?? null)).join("|");
      groups.set(id, [...(groups.get(id) ?? []), row]);
    }
    const rows = [...groups.values()];
    const columns = keys.map((c) =>
      pick(
        c,
        rows.map((r) => r[0] ?? 0),
      ),
    );
    for (const column of frame.columns) {
      const { operation, aggregations } = settings(column.name);
      if (operation !== "aggregate") continue;
      for (const aggregation of listOf(aggregations).map((a) => textOf(a))) {
        columns.push({
          ...column,
          name: `${column.name} (${aggregation})`,
          kind: "number",
          cells: rows.map((r) =>
            reduce(
              r.map((row) => column.cells[row] ?? null),
              aggregation === "lastNotNull" ? "last" : aggregation,
            ),
          ),
        });
      }
    }
    return { ...frame, columns };
  });
}

function sortBy(frames: Frame[], options: Options): Frame[] {
  const [sort] = objectsOf(options.sort);
  if (!sort) return frames;
  return frames.map((frame) => {
    const column = frame.columns.find((c) => c.name === sort.field);
    if (!column) return frame;
    const rows = Array.from({ length: rowsOf(frame) }, (_, i) => i);
    const cell = (row: number) => column.cells[row] ?? Number.NEGATIVE_INFINITY;
    rows.sort((a, b) => (cell(a) < cell(b) ? -1 : cell(a) > cell(b) ? 1 : 0));
    if (sort.desc === true) rows.reverse();
    return { ...frame, columns: frame.columns.map((c) => pick(c, rows)) };
  });
}

function filterFieldsByName(frames: Frame[], options: Options): Frame[] {
  const include = isObject(options.include) ? options.include : {};
  const names = listOf(include.names).map((n) => textOf(n));
  let pattern: RegExp | undefined;
  try {
    if (textOf(include.pattern) !== "") pattern = new RegExp(textOf(include.pattern));
  } catch {
    pattern = undefined;
  }
  if (names.length === 0 && !pattern) return frames;
  return frames.map((frame) => ({
    ...frame,
    columns: frame.columns.filter((c) => names.includes(c.name) || pattern?.test(c.name) === true),
  }));
}

function limit(frames: Frame[], options: Options): Frame[] {
  const count = typeof options.limitField === "number" ? options.limitField : 10;
  return frames.map((frame) => ({
    ...frame,
    columns: frame.columns.map((c) => ({ ...c, cells: c.cells.slice(0, count) })),
  }));
}

// Labels of series become columns beside their values.
function labelsToFields(frames: Frame[]): Frame[] {
  return frames.map((frame) => {
    const value = frame.columns.find((c) => c.kind === "number");
    const rows = rowsOf(frame);
    const labels = Object.entries(value?.labels ?? {}).map(([name, text]) => ({
      name,
      kind: "text" as const,
      labels: {},
      cells: new Array<Cell>(rows).fill(text),
    }));
    return {
      ...frame,
      columns: [...frame.columns.slice(0, 1), ...labels, ...frame.columns.slice(1)],
    };
  });
}

// Outer join by the first column of that name (time, if none is given).
function joinByField(frames: Frame[], options: Options): Frame[] {
  const by = textOf(options.byField) || "Time";
  const rows = new Map<string, Cell>();
  for (const frame of frames) {
    for (const cell of frame.columns.find((c) => c.name === by)?.cells ?? [])
      rows.set(key(cell), cell);
  }
  const ids = [...rows.keys()];
  const columns: Column[] = [
    {
      name: by,
      kind: frames[0]?.columns.find((c) => c.name === by)?.kind ?? "text",
      labels: {},
      cells: [...rows.values()],
    },
  ];
  for (const frame of frames) {
    const joint = frame.columns.find((c) => c.name === by);
    if (!joint) continue;
    const at = new Map(joint.cells.map((cell, row) => [key(cell), row]));
    for (const column of frame.columns) {
      if (column === joint) continue;
      const cells = ids.map((id) => column.cells[at.get(id) ?? -1] ?? null);
      columns.push({ ...column, cells });
    }
  }
  return [{ query: "", name: "", columns }];
}

const numberAt = (column: Column | undefined, row: number): number | null => {
  const cell = column?.cells[row];
  return typeof cell === "number" ? cell : null;
};

// A column more: two columns (or a number) joined by an operator, or a calculation over a row.
function calculateField(frames: Frame[], options: Options): Frame[] {
  const operations: Record<string, (a: number, b: number) => number> = {
    "+": (a, b) => a + b,
    "-": (a, b) => a - b,
    "*": (a, b) => a * b,
    "/": (a, b) => a / b,
  };
  const binary = isObject(options.binary) ? options.binary : {};
  const rowOptions = isObject(options.reduce) ? options.reduce : {};
  const isBinary = options.mode === "binary";
  return frames.map((frame) => {
    const side = (given: unknown) => {
      // Grafana writes a name, or {"matcher": {"id": "byName", "options": name}} or {"fixed": "1"}.
      const matcher = isObject(given) && isObject(given.matcher) ? given.matcher : {};
      const name = isObject(given) ? textOf(matcher.options, textOf(given.fixed)) : textOf(given);
      const column = frame.columns.find((c) => c.name === name);
      const fixed = name.trim() === "" ? Number.NaN : Number(name);
      return (row: number) => (column || Number.isNaN(fixed) ? numberAt(column, row) : fixed);
    };
    const left = side(binary.left);
    const right = side(binary.right);
    const operation = operations[textOf(binary.operator, "+")];
    const included = listOf(rowOptions.include).map((n) => textOf(n));
    const fields = frame.columns.filter(
      (c) => c.kind === "number" && (included.length === 0 || included.includes(c.name)),
    );
    const calculation = textOf(rowOptions.reducer, "sum");
    const cells = Array.from({ length: rowsOf(frame) }, (_, row): Cell => {
      if (!isBinary)
        return reduce(
          fields.map((f) => f.cells[row] ?? null),
          calculation === "lastNotNull" ? "last" : calculation,
        );
      const a = left(row);
      const b = right(row);
      return a === null || b === null || !operation ? null : operation(a, b);
    });
    const name =
      textOf(options.alias) ||
      (isBinary
        ? `${textOf(binary.left)} ${textOf(binary.operator)} ${textOf(binary.right)}`
        : calculation);
    const column: Column = { name, kind: "number", labels: {}, cells };
    const kept =
      options.replaceFields === true
        ? frame.columns.filter((c) => c.kind === "time")
        : frame.columns;
    return { ...frame, columns: [...kept, column] };
  });
}

// Keeps or drops the rows whose values pass the conditions.
function filterByValue(frames: Frame[], options: Options): Frame[] {
  const conditions = objectsOf(options.filters).map((filter) => {
    const config = isObject(filter.config) ? filter.config : {};
    const given = isObject(config.options) ? config.options : {};
    const { value } = given;
    const test = (cell: Cell): boolean => {
      switch (config.id) {
        case "greater":
          return typeof cell === "number" && cell > Number(value);
        case "greaterOrEqual":
          return typeof cell === "number" && cell >= Number(value);
        case "lower":
          return typeof cell === "number" && cell < Number(value);
        case "lowerOrEqual":
          return typeof cell === "number" && cell <= Number(value);
        case "between":
          return typeof cell === "number" && cell >= Number(given.from) && cell <= Number(given.to);
        case "equal":
          return String(cell) === String(value);
        case "notEqual":
          return String(cell) !== String(value);
        case "isNull":
          return cell === null;
        case "isNotNull":
          return cell !== null;
        case "regex":
          try {
            return new RegExp(textOf(value)).test(String(cell));
          } catch {
            return false;
          }
      }
      return true;
    };
    return { field: textOf(filter.fieldName), test };
  });
  if (conditions.length === 0) return frames;
  return frames.map((frame) => {
    const passes = (row: number) => {
      const results = conditions.map(({ field, test }) =>
        test(frame.columns.find((c) => c.name === field)?.cells[row] ?? null),
      );
      return options.match === "all" ? results.every(Boolean) : results.some(Boolean);
    };
    const rows = Array.from({ length: rowsOf(frame) }, (_, i) => i).filter(
      (row) => passes(row) !== (options.type === "exclude"),
    );
    return { ...frame, columns: frame.columns.map((c) => pick(c, rows)) };
  });
}

function renameByRegex(frames: Frame[], options: Options): Frame[] {
  const parts = /^\/(.*)\/(\w*)$/s.exec(textOf(options.regex));
  let pattern: RegExp;
  try {
    pattern = new RegExp(parts?.[1] ?? textOf(options.regex), parts?.[2] ?? "");
  } catch {
    return frames;
  }
  const renamed = (name: string) => name.replace(pattern, textOf(options.renamePattern));
  return frames.map((frame) => ({
    ...frame,
    name: renamed(frame.name),
    columns: frame.columns.map((c) => (c.kind === "time" ? c : { ...c, name: renamed(c.name) })),
  }));
}

function convertFieldType(frames: Frame[], options: Options): Frame[] {
  const wanted = objectsOf(options.conversions);
  const convert = (cell: Cell, to: string): Cell => {
    if (cell === null) return null;
    if (to === "string") return String(cell);
    const number = to === "time" && typeof cell === "string" ? Date.parse(cell) : Number(cell);
    return Number.isNaN(number) ? null : number;
  };
  return frames.map((frame) => ({
    ...frame,
    columns: frame.columns.map((column) => {
      const to = textOf(wanted.find((w) => w.targetField === column.name)?.destinationType);
      if (!["string", "number", "time"].includes(to)) return column;
      const kind = to === "string" ? "text" : (to as "number" | "time");
      return { ...column, kind, cells: column.cells.map((cell) => convert(cell, to)) };
    }),
  }));
}

// All columns side by side in one frame.
function concatenate(frames: Frame[]): Frame[] {
  const rows = Math.max(0, ...frames.map(rowsOf));
  const all = Array.from({ length: rows }, (_, i) => i);
  return frames.length < 2
    ? frames
    : [{ query: "", name: "", columns: frames.flatMap((f) => f.columns.map((c) => pick(c, all))) }];
}

const transforms: Record<string, Transform> = {
  calculateField,
  filterByValue,
  renameByRegex,
  convertFieldType,
  concatenate,
  merge,
  reduce: reduceFrames,
  seriesToRows: (frames) => merge(labelsToFields(frames)),
  organize,
  groupBy,
  sortBy,
  filterFieldsByName,
  limit,
  labelsToFields,
  joinByField,
  seriesToColumns: joinByField,
};

export const knownTransformations = Object.keys(transforms);

export function transform(frames: Frame[], steps: Transformation[]): Frame[] {
  return steps.reduce((now, step) => transforms[step.kind]?.(now, step.options) ?? now, frames);
}
