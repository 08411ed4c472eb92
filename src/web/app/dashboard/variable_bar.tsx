// SPDX-License-Identifier: Apache-2.0
// The variables of a dashboard, to choose from.
import { useState } from "preact/hooks";
import { get } from "../lib/api";
import { useLoad } from "../lib/load";
import { matchesWords } from "../parts/filter";
import { Menu } from "../parts/menu";
import { decodeFilter, encodeFilter, type LabelFilter, operators } from "./filters";
import { allValues } from "./model";
import type { VariableState } from "./variables";

const optionsShown = 500;

function textFor(state: VariableState): string {
  if (state.chosen.includes(allValues)) return "All";
  const texts = state.chosen.map((v) => state.options.find((o) => o.value === v)?.text ?? v);
  return texts.length === 0 ? "none" : texts.join(", ");
}

function Choice(props: { state: VariableState; onChange: (chosen: string[]) => void }) {
  const { state, onChange } = props;
  const { variable } = state;
  const [search, setSearch] = useState("");
  const options = [
    ...(variable.includeAll ? [{ text: "All", value: allValues }] : []),
    ...state.options,
  ].filter((o) => search === "" || matchesWords(search, o.text));
  const choose = (value: string, close: () => void) => {
    if (!variable.multi) {
      onChange([value]);
      close();
      return;
    }
    if (value === allValues) return onChange([allValues]);
    const rest = state.chosen.filter((v) => v !== allValues && v !== value);
    const next = state.chosen.includes(value) ? rest : [...rest, value];
    onChange(next.length > 0 ? next : variable.includeAll ? [allValues] : [value]);
  };
  return (
    <Menu
      label={<span class="variable-text">{textFor(state)}</span>}
      title={`Choose ${variable.label || variable.name}`}
    >
      {(close) => (
        <div class="choices">
          <input
            type="search"
            value={search}
            placeholder="Search"
            aria-label={`Search values of ${variable.name}`}
            onInput={(e) => setSearch(e.currentTarget.value)}
          />
          <ul>
            {options.slice(0, optionsShown).map((o) => (
              <li key={o.value}>
                <button
                  type="button"
                  aria-pressed={state.chosen.includes(o.value)}
                  onClick={() => choose(o.value, close)}
                >
                  {state.chosen.includes(o.value) ? "✓ " : ""}
                  {o.text}
                </button>
              </li>
            ))}
            {options.length === 0 && <li class="muted">No values.</li>}
            {options.length > optionsShown && (
              <li class="muted">{options.length - optionsShown} more: search.</li>
            )}
          </ul>
        </div>
      )}
    </Menu>
  );
}

function FilterEditor(props: { name: string; onAdd: (filter: LabelFilter) => void }) {
  const [filter, setFilter] = useState<LabelFilter>({ label: "", op: "=", value: "" });
  const names = useLoad((signal) => get<string[]>("api/v1/labels", {}, signal), []);
  const values = useLoad(
    async (signal) =>
      filter.label === ""
        ? []
        : (
            await get<string[]>(
              `api/v1/label/${encodeURIComponent(filter.label)}/values`,
              { limit: optionsShown },
              signal,
            )
          ).data,
    [filter.label],
  );
  const listName = `names-${props.name}`;
  const listValue = `values-${props.name}`;
  return (
    <form
      class="filter-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (filter.label === "") return;
        props.onAdd(filter);
      }}
    >
      <input
        list={listName}
        placeholder="label"
        aria-label="Label"
        value={filter.label}
        onInput={(e) => setFilter({ ...filter, label: e.currentTarget.value })}
      />
      <datalist id={listName}>
        {names.data?.data.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <select
        aria-label="Operator"
        value={filter.op}
        onChange={(e) =>
          setFilter({ ...filter, op: operators.find((o) => o === e.currentTarget.value) ?? "=" })
        }
      >
        {operators.map((op) => (
          <option key={op}>{op}</option>
        ))}
      </select>
      <input
        list={listValue}
        placeholder="value"
        aria-label="Value"
        value={filter.value}
        onInput={(e) => setFilter({ ...filter, value: e.currentTarget.value })}
      />
      <datalist id={listValue}>
        {values.data?.map((value) => (
          <option key={value} value={value} />
        ))}
      </datalist>
      <button type="submit" class="primary" disabled={filter.label === ""}>
        Add
      </button>
    </form>
  );
}

// Label filters for all queries of the dashboard.
function Filters(props: { name: string; chosen: string[]; onChange: (chosen: string[]) => void }) {
  const filters = props.chosen.filter((text) => decodeFilter(text));
  const change = (next: string[]) => props.onChange(next.length > 0 ? next : [""]);
  return (
    <span class="tags">
      {filters.map((text) => {
        const filter = decodeFilter(text);
        return (
          <button
            type="button"
            key={text}
            title="Remove this filter"
            onClick={() => change(filters.filter((f) => f !== text))}
          >
            {filter?.label} {filter?.op} {filter?.value} ✕
          </button>
        );
      })}
      <Menu label="+ filter" title="Keep to series with a label">
        {(close) => (
          <FilterEditor
            name={props.name}
            onAdd={(filter) => {
              close();
              change([...filters, encodeFilter(filter)]);
            }}
          />
        )}
      </Menu>
    </span>
  );
}

export function VariableBar(props: {
  states: VariableState[];
  onChange: (name: string, chosen: string[]) => void;
}) {
  const shown = props.states.filter((s) => !s.variable.hidden);
  if (shown.length === 0) return null;
  return (
    <div class="variables">
      {shown.map((state) => {
        const { variable } = state;
        const change = (chosen: string[]) => props.onChange(variable.name, chosen);
        return (
          <div class="variable" key={variable.name}>
            <span class="muted">{variable.label || variable.name}</span>
            {variable.kind === "adhoc" ? (
              <Filters name={variable.name} chosen={state.chosen} onChange={change} />
            ) : variable.kind === "text" || variable.kind === "constant" ? (
              <input
                value={state.chosen[0] ?? ""}
                aria-label={variable.label || variable.name}
                onChange={(e) => change([e.currentTarget.value])}
              />
            ) : (
              <Choice state={state} onChange={change} />
            )}
          </div>
        );
      })}
    </div>
  );
}
