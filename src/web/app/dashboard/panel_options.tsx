// SPDX-License-Identifier: Apache-2.0
// How a panel looks: kind, unit, axis, legend, thresholds, value mappings. What has no field here is
// in the panel's JSON, at the end.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { parseDuration } from "../lib/time";
import { unitNames } from "../lib/units";
import { Check } from "../parts/check";
import {
  type Dashboard,
  type FieldStyle,
  type Panel,
  type PanelType,
  panelTypes,
  readPanel,
  type Threshold,
  type ValueMapping,
} from "./model";

const calculations = [
  "last",
  "mean",
  "min",
  "max",
  "sum",
  "count",
  "range",
  "delta",
  "median",
  "first",
  "stddev",
];
const oneNumber: PanelType[] = ["stat", "gauge", "bargauge", "pie", "table"];
const drawn: PanelType[] = ["timeseries", "bars"];
const summaries = ["last", "min", "mean", "max", "sum"];
const colors = ["green", "yellow", "orange", "red", "blue", "purple", "text"];

const number = (text: string) =>
  text.trim() === "" || Number.isNaN(Number(text)) ? undefined : Number(text);

function Group(props: { title: string; open?: boolean; children: ComponentChildren }) {
  return (
    <details class="options-group" open={props.open ?? false}>
      <summary>{props.title}</summary>
      <div class="options-fields">{props.children}</div>
    </details>
  );
}

function Select(props: {
  title: string;
  value: string;
  choices: readonly string[];
  onChange: (value: string) => void;
}) {
  return (
    <label>
      {props.title}
      <select value={props.value} onChange={(e) => props.onChange(e.currentTarget.value)}>
        {[...new Set([...props.choices, props.value])].map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    </label>
  );
}

function Thresholds(props: { list: Threshold[]; onChange: (list: Threshold[]) => void }) {
  const { list, onChange } = props;
  const change = (at: number, changes: Partial<Threshold>) =>
    onChange(list.map((t, i) => (i === at ? { ...t, ...changes } : t)));
  return (
    <>
      {list.map((threshold, at) => (
        <div class="option-line" key={at}>
          {threshold.from === null ? (
            <span class="grow">From the lowest on</span>
          ) : (
            <input
              class="grow"
              aria-label={`Threshold ${at}`}
              value={threshold.from}
              onChange={(e) => change(at, { from: number(e.currentTarget.value) ?? 0 })}
            />
          )}
          <select
            aria-label={`Colour of threshold ${at}`}
            value={threshold.color}
            onChange={(e) => change(at, { color: e.currentTarget.value })}
          >
            {[...new Set([...colors, threshold.color])].map((c) => (
              <option key={c}>{c}</option>
            ))}
          </select>
          <button
            type="button"
            class="icon"
            title="Remove this threshold"
            onClick={() => onChange(list.filter((_, i) => i !== at))}
          >
            ✕
          </button>
        </div>
      ))}
      <button
        type="button"
        onClick={() =>
          onChange(
            list.length === 0
              ? [
                  { from: null, color: "green" },
                  { from: 80, color: "red" },
                ]
              : [...list, { from: (list.at(-1)?.from ?? 0) + 10, color: "red" }],
          )
        }
      >
        + Threshold
      </button>
    </>
  );
}

function Mappings(props: { list: ValueMapping[]; onChange: (list: ValueMapping[]) => void }) {
  const { list, onChange } = props;
  const change = (at: number, changes: Partial<ValueMapping>) =>
    onChange(list.map((m, i) => (i === at ? { ...m, ...changes } : m)));
  return (
    <>
      {list.map((mapping, at) => (
        <div class="option-line wrap" key={at}>
          <select
            aria-label={`Kind of mapping ${at}`}
            value={mapping.kind}
            onChange={(e) => change(at, { kind: e.currentTarget.value as ValueMapping["kind"] })}
          >
            {["value", "range", "regex", "special"].map((k) => (
              <option key={k}>{k}</option>
            ))}
          </select>
          {mapping.kind === "range" ? (
            <>
              <input
                class="short"
                placeholder="from"
                aria-label="From"
                value={mapping.from ?? ""}
                onChange={(e) => change(at, { from: number(e.currentTarget.value) ?? 0 })}
              />
              <input
                class="short"
                placeholder="to"
                aria-label="To"
                value={mapping.to ?? ""}
                onChange={(e) => change(at, { to: number(e.currentTarget.value) ?? 0 })}
              />
            </>
          ) : (
            <input
              class="short"
              aria-label="What is mapped"
              placeholder={mapping.kind === "special" ? "null, nan, true…" : "1"}
              value={mapping.match}
              onChange={(e) => change(at, { match: e.currentTarget.value })}
            />
          )}
          <span aria-hidden="true">→</span>
          <input
            class="short"
            aria-label="Text shown"
            placeholder="text"
            value={mapping.text ?? ""}
            onChange={(e) => change(at, { text: e.currentTarget.value })}
          />
          <select
            aria-label="Colour"
            value={mapping.color ?? ""}
            onChange={(e) => change(at, { color: e.currentTarget.value })}
          >
            {[...new Set(["", ...colors, mapping.color ?? ""])].map((c) => (
              <option key={c} value={c}>
                {c || "colour"}
              </option>
            ))}
          </select>
          <button
            type="button"
            class="icon"
            title="Remove this mapping"
            onClick={() => onChange(list.filter((_, i) => i !== at))}
          >
            ✕
          </button>
        </div>
      ))}
      <button
        type="button"
        onClick={() => onChange([...list, { kind: "value", match: "1", text: "up" }])}
      >
        + Mapping
      </button>
    </>
  );
}

function PanelJson(props: { panel: Panel; onChange: (panel: Panel) => void }) {
  const [problem, setProblem] = useState("");
  return (
    <>
      <textarea
        rows={14}
        aria-label="JSON of the panel"
        value={JSON.stringify(props.panel, null, 2)}
        onChange={(e) => {
          try {
            const read = readPanel(JSON.parse(e.currentTarget.value), 0);
            setProblem("");
            props.onChange({ ...read, id: props.panel.id });
          } catch (error) {
            setProblem(error instanceof Error ? error.message : String(error));
          }
        }}
      />
      {problem && <p class="bad">{problem}</p>}
    </>
  );
}

export function PanelOptions(props: {
  dashboard: Dashboard;
  panel: Panel;
  onChange: (panel: Panel) => void;
}) {
  const { panel, onChange } = props;
  const { style } = panel;
  const set = (changes: Partial<Panel>) => onChange({ ...panel, ...changes });
  const setOption = (name: string, value: unknown) =>
    set({ options: { ...panel.options, [name]: value } });
  const setStyle = (changes: { [Key in keyof FieldStyle]?: FieldStyle[Key] | undefined }) => {
    const next: Record<string, unknown> = { ...style };
    for (const [key, value] of Object.entries(changes)) {
      if (value === undefined) delete next[key];
      else next[key] = value;
    }
    set({ style: next as FieldStyle });
  };
  const numberField = (
    title: string,
    key: "min" | "max" | "decimals" | "softMin" | "softMax" | "width" | "fill",
  ) => (
    <label>
      {title}
      <input
        value={style[key] ?? ""}
        placeholder="auto"
        onChange={(e) => setStyle({ [key]: number(e.currentTarget.value) })}
      />
    </label>
  );
  const draws = drawn.includes(panel.type);
  const hasQueries = panel.type !== "text" && panel.type !== "alert-list";
  return (
    <div class="panel-options">
      <Group title="Panel" open>
        <label>
          Title
          <input value={panel.title} onInput={(e) => set({ title: e.currentTarget.value })} />
        </label>
        <Select
          title="Kind"
          value={panel.type}
          choices={panelTypes.filter((t) => t !== "row")}
          onChange={(type) => set({ type: type as PanelType })}
        />
        <label class="wide-field">
          Description
          <input
            value={panel.description}
            onInput={(e) => set({ description: e.currentTarget.value })}
          />
        </label>
      </Group>
      {hasQueries && (
        <Group title="Values" open>
          <Select
            title="Unit"
            value={style.unit ?? "short"}
            choices={unitNames}
            onChange={(unit) => setStyle({ unit })}
          />
          {numberField("Decimals", "decimals")}
          {numberField("Min", "min")}
          {numberField("Max", "max")}
          {oneNumber.includes(panel.type) && (
            <Select
              title="Of a series"
              value={panel.calculation}
              choices={calculations}
              onChange={(calculation) => set({ calculation })}
            />
          )}
        </Group>
      )}
      {draws && (
        <Group title="Lines and axis" open>
          <Select
            title="Draw"
            value={style.draw ?? (panel.type === "bars" ? "bars" : "line")}
            choices={["line", "bars", "points"]}
            onChange={(draw) => setStyle({ draw: draw as "line" | "bars" | "points" })}
          />
          <Select
            title="Stack"
            value={style.stack ?? "none"}
            choices={["none", "normal", "percent"]}
            onChange={(stack) => setStyle({ stack: stack as "none" | "normal" | "percent" })}
          />
          <Select
            title="Between points"
            value={style.smooth ? "smooth" : (style.step ?? "none")}
            choices={["none", "smooth", "after", "before"]}
            onChange={(kind) =>
              setStyle({
                smooth: kind === "smooth" || undefined,
                step: kind === "after" || kind === "before" ? kind : undefined,
              })
            }
          />
          {numberField("Line width", "width")}
          {numberField("Fill, %", "fill")}
          {numberField("Axis at least from", "softMin")}
          {numberField("Axis at least to", "softMax")}
          <label>
            Axis label
            <input
              value={style.axisLabel ?? ""}
              onChange={(e) => setStyle({ axisLabel: e.currentTarget.value || undefined })}
            />
          </label>
          <Check
            title="Logarithmic"
            value={style.log === true}
            onChange={(log) => setStyle({ log: log || undefined })}
          />
          <Check
            title="Join gaps"
            value={style.connectGaps === true}
            onChange={(on) => setStyle({ connectGaps: on || undefined })}
          />
        </Group>
      )}
      {draws && (
        <Group title="Legend">
          <Select
            title="Legend"
            value={panel.legend}
            choices={["list", "table", "hidden"]}
            onChange={(legend) => set({ legend: legend as Panel["legend"] })}
          />
          <div class="option-line wrap wide-field">
            {summaries.map((name) => (
              <Check
                key={name}
                title={name}
                value={panel.legendValues.includes(name)}
                onChange={(on) =>
                  set({
                    legendValues: summaries.filter((s) =>
                      s === name ? on : panel.legendValues.includes(s),
                    ),
                  })
                }
              />
            ))}
          </div>
        </Group>
      )}
      {panel.type === "stat" && (
        <Group title="Stat" open>
          <Select
            title="Colour"
            value={String(panel.options.colorMode ?? "value")}
            choices={["value", "background", "none"]}
            onChange={(mode) => setOption("colorMode", mode)}
          />
          <Select
            title="Text"
            value={String(panel.options.textMode ?? "auto")}
            choices={["auto", "value", "name", "value_and_name"]}
            onChange={(mode) => setOption("textMode", mode)}
          />
          <Check
            title="Line behind"
            value={panel.options.spark === true}
            onChange={(on) => setOption("spark", on)}
          />
        </Group>
      )}
      {panel.type === "pie" && (
        <Group title="Pie" open>
          <Check
            title="Donut"
            value={panel.options.donut === true}
            onChange={(on) => setOption("donut", on)}
          />
        </Group>
      )}
      {hasQueries && (
        <Group title="Thresholds" open={(style.thresholds ?? []).length > 0}>
          <div class="wide-field options-list">
            <Thresholds
              list={style.thresholds ?? []}
              onChange={(thresholds) =>
                setStyle({ thresholds: thresholds.length > 0 ? thresholds : undefined })
              }
            />
            {draws && (
              <Check
                title="Draw as lines"
                value={style.thresholdLines === true}
                onChange={(on) => setStyle({ thresholdLines: on || undefined })}
              />
            )}
          </div>
        </Group>
      )}
      {hasQueries && (
        <Group title="Value mappings" open={(style.mappings ?? []).length > 0}>
          <div class="wide-field options-list">
            <Mappings
              list={style.mappings ?? []}
              onChange={(mappings) =>
                setStyle({ mappings: mappings.length > 0 ? mappings : undefined })
              }
            />
          </div>
        </Group>
      )}
      {hasQueries && (
        <Group title="Time" open={panel.span !== undefined || panel.shift !== undefined}>
          {(["span", "shift"] as const).map((key) => (
            <label key={key}>
              {key === "span" ? "Its own range" : "Look earlier by"}
              <input
                placeholder={key === "span" ? "24h" : "1d"}
                value={panel[key] ?? ""}
                onChange={(e) => {
                  const { [key]: _, ...rest } = panel;
                  const text = e.currentTarget.value.trim();
                  onChange(parseDuration(text) === undefined ? rest : { ...panel, [key]: text });
                }}
              />
            </label>
          ))}
        </Group>
      )}
      <Group title="Repeat">
        <Select
          title="For each value of"
          value={panel.repeat?.variable ?? "nothing"}
          choices={["nothing", ...props.dashboard.variables.map((v) => v.name)]}
          onChange={(variable) => {
            const { repeat: _, ...rest } = panel;
            onChange(
              variable === "nothing"
                ? rest
                : {
                    ...panel,
                    repeat: { variable, down: false, perRow: panel.repeat?.perRow ?? 4 },
                  },
            );
          }}
        />
        {panel.repeat && (
          <label>
            Side by side
            <input
              type="number"
              min={1}
              max={24}
              value={panel.repeat.perRow}
              onChange={(e) =>
                panel.repeat &&
                set({
                  repeat: { ...panel.repeat, perRow: number(e.currentTarget.value) ?? 4 },
                })
              }
            />
          </label>
        )}
      </Group>
      <Group title="JSON (overrides, transformations, links)">
        <div class="wide-field options-list">
          <PanelJson panel={panel} onChange={onChange} />
        </div>
      </Group>
    </div>
  );
}
