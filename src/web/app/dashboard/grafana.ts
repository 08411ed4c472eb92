// SPDX-License-Identifier: Apache-2.0
// Reads a Grafana dashboard (schema versions from about 16 on: panels with gridPos, also the older
// "graph" and "singlestat"). What has no equivalent is listed, never dropped in silence.
import { parseDuration } from "../lib/time";
import { encodeFilter, operators } from "./filters";
import {
  allValues,
  type Dashboard,
  emptyDashboard,
  emptyPanel,
  type FieldStyle,
  isObject,
  listOf,
  numberOf,
  type Override,
  objectsOf,
  type Panel,
  type PanelType,
  type Threshold,
  textOf,
  type ValueMapping,
  type Variable,
} from "./model";
import { knownTransformations } from "./transform";

type Json = Record<string, unknown>;

export interface Import {
  dashboard: Dashboard;
  notes: string[]; // what was not translated, each with where it stood
}

const typeNames: Record<string, PanelType> = {
  timeseries: "timeseries",
  graph: "timeseries",
  trend: "timeseries",
  barchart: "bars",
  stat: "stat",
  singlestat: "stat",
  gauge: "gauge",
  bargauge: "bargauge",
  table: "table",
  "table-old": "table",
  heatmap: "heatmap",
  histogram: "heatmap",
  piechart: "pie",
  "grafana-piechart-panel": "pie",
  "state-timeline": "state-timeline",
  "status-history": "state-timeline",
  text: "text",
  alertlist: "alert-list",
  row: "row",
};

const calculations: Record<string, string> = {
  last: "last",
  lastNotNull: "last",
  first: "first",
  firstNotNull: "first",
  min: "min",
  max: "max",
  mean: "mean",
  avg: "mean",
  sum: "sum",
  total: "sum",
  count: "count",
  range: "range",
  delta: "delta",
  diff: "delta",
  current: "last",
  stdDev: "stddev",
  median: "median",
};

const object = (value: unknown): Json => (isObject(value) ? value : {});

class Importer {
  readonly notes: string[] = [];
  note(where: string, what: string): void {
    const text = `${where}: ${what}`;
    if (!this.notes.includes(text)) this.notes.push(text);
  }

  thresholds(json: unknown): { list: Threshold[]; percent: boolean } {
    const steps = objectsOf(object(json).steps).map((step, at) => ({
      from: at === 0 ? null : numberOf(step.value, 0),
      color: textOf(step.color, "green"),
    }));
    return { list: steps, percent: object(json).mode === "percentage" };
  }

  mappings(json: unknown): ValueMapping[] {
    const all: ValueMapping[] = [];
    for (const mapping of objectsOf(json)) {
      const options = object(mapping.options);
      const result = (value: unknown) => {
        const r = object(value);
        return {
          ...(typeof r.text === "string" ? { text: r.text } : {}),
          ...(typeof r.color === "string" ? { color: r.color } : {}),
        };
      };
      if (mapping.type === "value") {
        for (const [match, r] of Object.entries(options)) {
          all.push({ kind: "value", match, ...result(r) });
        }
      } else if (mapping.type === "range") {
        all.push({
          kind: "range",
          match: "",
          ...(typeof options.from === "number" ? { from: options.from } : {}),
          ...(typeof options.to === "number" ? { to: options.to } : {}),
          ...result(options.result),
        });
      } else if (mapping.type === "regex") {
        all.push({ kind: "regex", match: textOf(options.pattern), ...result(options.result) });
      } else if (mapping.type === "special") {
        all.push({ kind: "special", match: textOf(options.match), ...result(options.result) });
      } else if (mapping.type === 1) {
        all.push({ kind: "value", match: String(mapping.value), text: textOf(mapping.text) });
      }
    }
    return all;
  }

  // One property of fieldConfig: its name is that of an override ("custom.fillOpacity").
  property(name: string, value: unknown, style: FieldStyle, where: string): void {
    const number = typeof value === "number" ? value : undefined;
    const set = <Key extends keyof FieldStyle>(key: Key, to: FieldStyle[Key] | undefined) => {
      if (to !== undefined) style[key] = to;
    };
    switch (name) {
      case "unit":
        return set("unit", textOf(value));
      case "decimals":
        return set("decimals", number);
      case "min":
        return set("min", number);
      case "max":
        return set("max", number);
      case "displayName":
        return set("name", textOf(value));
      case "color": {
        const color = object(value);
        if (color.mode === "fixed" || color.mode === "shades") {
          set("color", textOf(color.fixedColor) || undefined);
        } else if (
          !["palette-classic", "palette-classic-by-name", "thresholds", undefined].includes(
            color.mode as string,
          )
        ) {
          this.note(where, `colour scheme “${textOf(color.mode)}”: the palette is used`);
        }
        return;
      }
      case "thresholds": {
        const { list, percent } = this.thresholds(value);
        set("thresholds", list);
        if (percent) set("thresholdsPercent", true);
        return;
      }
      case "mappings":
        return set("mappings", this.mappings(value));
      case "links":
        return set(
          "links",
          objectsOf(value).map((l) => ({ title: textOf(l.title), url: textOf(l.url) })),
        );
      case "noValue":
      case "custom":
      case "custom.hideFrom.tooltip":
      case "custom.gradientMode":
      case "custom.pointSize":
      case "custom.showPoints":
      case "custom.barAlignment":
      case "custom.barWidthFactor":
      case "custom.axisBorderShow":
      case "custom.axisColorMode":
      case "custom.axisCenteredZero":
      case "custom.axisGridShow":
      case "custom.axisWidth":
      case "custom.insertNulls":
      case "custom.align":
      case "custom.inspect":
      case "custom.filterable":
      case "custom.minWidth":
      case "custom.width":
      case "custom.showValues":
      case "custom.footer":
      case "custom.wrapText":
      case "custom.spanNulls.threshold":
      case "fieldMinMax":
      case "filterable":
      case "description":
        return; // looks only; the result is the same
      case "custom.drawStyle":
        return set("draw", value === "bars" ? "bars" : value === "points" ? "points" : "line");
      case "custom.lineInterpolation":
        if (value === "smooth") return set("smooth", true);
        return set(
          "step",
          value === "stepAfter" ? "after" : value === "stepBefore" ? "before" : "none",
        );
      case "custom.lineWidth":
        return set("width", number);
      case "custom.fillOpacity":
        return set("fill", number);
      case "custom.lineStyle": {
        const dash = listOf(object(value).dash).filter((d) => typeof d === "number") as number[];
        return set(
          "dash",
          object(value).fill === "dash" ? (dash.length > 0 ? dash : [10, 10]) : [],
        );
      }
      case "custom.stacking": {
        const { mode, group } = object(value);
        if (group !== undefined && group !== "A") set("stackGroup", String(group));
        return set("stack", mode === "normal" || mode === "percent" ? mode : "none");
      }
      case "custom.transform":
        if (value === "negative-Y") return set("negate", true);
        if (value === "constant") this.note(where, "the transform “constant” is not drawn");
        return;
      case "custom.axisPlacement":
        if (value === "right") return set("rightAxis", true);
        if (value === "hidden") this.note(where, "the hidden axis is shown");
        return;
      case "custom.axisLabel":
        return set("axisLabel", textOf(value) || undefined);
      case "custom.axisSoftMin":
        return set("softMin", number);
      case "custom.axisSoftMax":
        return set("softMax", number);
      case "custom.scaleDistribution":
        if (object(value).type === "log") return set("log", true);
        return;
      case "custom.spanNulls":
        return set("connectGaps", value === true || typeof value === "number" || undefined);
      case "custom.thresholdsStyle":
        return set("thresholdLines", object(value).mode !== "off" || undefined);
      case "custom.hideFrom": {
        set("hiddenInPlot", object(value).viz === true || undefined);
        return set("hiddenInLegend", object(value).legend === true || undefined);
      }
      case "custom.hideFrom.viz":
        return set("hiddenInPlot", value === true || undefined);
      case "custom.hideFrom.legend":
        return set("hiddenInLegend", value === true || undefined);
      case "custom.hidden":
        return set("hiddenColumn", value === true || undefined);
      case "custom.cellOptions":
      case "custom.displayMode": {
        const kind = isObject(value) ? textOf(value.type) : textOf(value);
        const cells: Record<string, FieldStyle["cell"]> = {
          "": undefined,
          auto: undefined,
          "color-text": "color",
          "color-background": "background",
          "color-background-solid": "background",
          gauge: "gauge",
          "basic-gauge": "gauge",
          "gradient-gauge": "gauge",
          "lcd-gauge": "gauge",
        };
        if (!(kind in cells)) this.note(where, `table cells of the kind “${kind}” are text`);
        return set("cell", cells[kind]);
      }
      default:
        this.note(where, `the field option “${name}” has no equivalent`);
    }
  }

  style(defaults: Json, where: string): FieldStyle {
    const style: FieldStyle = {};
    for (const [name, value] of Object.entries(defaults)) {
      if (name === "custom") {
        for (const [inner, v] of Object.entries(object(value))) {
          this.property(`custom.${inner}`, v, style, where);
        }
      } else {
        this.property(name, value, style, where);
      }
    }
    return style;
  }

  overrides(json: unknown, where: string): Override[] {
    const all: Override[] = [];
    for (const override of objectsOf(json)) {
      const matcher = object(override.matcher);
      const style: FieldStyle = {};
      for (const p of objectsOf(override.properties)) {
        this.property(textOf(p.id), p.value, style, where);
      }
      switch (matcher.id) {
        case "byName":
          all.push({ by: "name", match: textOf(matcher.options), style });
          break;
        case "byRegexp":
          all.push({ by: "regex", match: textOf(matcher.options), style });
          break;
        case "byFrameRefID":
          all.push({ by: "query", match: textOf(matcher.options), style });
          break;
        case "byNames": {
          const options = object(matcher.options);
          const names = listOf(isObject(matcher.options) ? options.names : matcher.options);
          all.push({
            by: "names",
            match: JSON.stringify(names.map((n) => textOf(n))),
            ...(options.mode === "exclude" ? { except: true } : {}),
            style,
          });
          break;
        }
        default:
          this.note(where, `an override that picks fields “${textOf(matcher.id)}” is left out`);
      }
    }
    return all;
  }

  panel(json: Json, at: number): Panel | undefined {
    const title = textOf(json.title);
    const where = title === "" ? `panel ${numberOf(json.id, at + 1)}` : `“${title}”`;
    const given = textOf(json.type);
    const type = typeNames[given];
    const panel = emptyPanel(numberOf(json.id, at + 1));
    const grid = object(json.gridPos);
    Object.assign(panel, {
      title,
      description: textOf(json.description),
      x: numberOf(grid.x, 0),
      y: numberOf(grid.y, 0),
      w: numberOf(grid.w, 24),
      h: numberOf(grid.h, 8),
    });
    if (!type) {
      this.note(where, `the panel type “${given}” has no equivalent; its place says so`);
      panel.type = "text";
      panel.queries = [];
      panel.options = { text: `This panel was a “${given}”, which Varve does not draw.` };
      return panel;
    }
    panel.type = type;
    panel.queries = objectsOf(json.targets).map((target, i) => ({
      id: textOf(target.refId, String.fromCharCode(65 + (i % 26))),
      expression: textOf(target.expr),
      legend: textOf(target.legendFormat) === "__auto" ? "" : textOf(target.legendFormat),
      instant: target.instant === true && target.range !== true,
      hidden: target.hide === true,
      ...(target.format === "table" ? { table: true } : {}),
    }));
    for (const q of panel.queries) {
      if (q.expression === "" && !q.hidden) this.note(where, `query ${q.id} is not PromQL`);
    }
    const interval = textOf(json.interval);
    if (/^>?\d+(ms|[smhdwy])$/.test(interval)) panel.minStep = interval.replace(">", "");
    const config = object(json.fieldConfig);
    panel.style = this.style(object(config.defaults), where);
    panel.overrides = this.overrides(config.overrides, where);
    this.transformations(json, panel, where);
    this.options(json, panel, given, where);
    const repeat = textOf(json.repeat);
    if (repeat !== "") {
      panel.repeat = {
        variable: repeat,
        down: json.repeatDirection === "v",
        perRow: numberOf(json.maxPerRow, 4),
      };
    }
    if (object(json.libraryPanel).uid !== undefined) {
      this.note(where, "a library panel: only what stands in the file is imported");
    }
    for (const [key, given] of [
      ["span", textOf(json.timeFrom)],
      ["shift", textOf(json.timeShift)],
    ] as const) {
      if (given === "") continue;
      const duration = given.replace(/^now-/, "");
      if (parseDuration(duration) !== undefined) panel[key] = duration;
      else this.note(where, `its own time range “${given}” is left out`);
    }
    panel.links = objectsOf(json.links).map((l) => ({
      title: textOf(l.title),
      url: textOf(l.url),
    }));
    return panel;
  }

  transformations(json: Json, panel: Panel, where: string): void {
    for (const t of objectsOf(json.transformations)) {
      if (t.disabled === true) continue;
      const kind = textOf(t.id);
      if (knownTransformations.includes(kind)) {
        panel.transformations.push({ kind, options: object(t.options) });
      } else {
        this.note(where, `the transformation “${kind}” is left out`);
      }
    }
  }

  options(json: Json, panel: Panel, given: string, where: string): void {
    const options = object(json.options);
    const reduce = object(options.reduceOptions);
    const calculation = textOf(listOf(reduce.calcs)[0], textOf(json.valueName, "last"));
    panel.calculation = calculations[calculation] ?? "last";
    if (!(calculation in calculations)) {
      this.note(where, `the calculation “${calculation}” is replaced by the last value`);
    }
    const legend = object(options.legend);
    panel.legend =
      legend.showLegend === false || legend.displayMode === "hidden"
        ? "hidden"
        : legend.displayMode === "table"
          ? "table"
          : "list";
    panel.legendValues = listOf(legend.calcs).flatMap((c) => calculations[textOf(c)] ?? []);
    switch (panel.type) {
      case "text":
        panel.options = {
          text: textOf(options.content, textOf(json.content)),
          markdown: textOf(options.mode, textOf(json.mode, "markdown")) === "markdown",
        };
        if (textOf(options.mode, textOf(json.mode)) === "html") {
          this.note(where, "HTML is shown as text");
        }
        break;
      case "stat":
        panel.options = {
          spark: options.graphMode === "area",
          colorMode: textOf(options.colorMode, "value"),
          textMode: textOf(options.textMode, "auto"),
        };
        break;
      case "bargauge":
        panel.options = { horizontal: options.orientation !== "vertical" };
        break;
      case "pie":
        panel.options = { donut: options.pieType === "donut" };
        break;
      case "timeseries":
        if (given === "graph") this.graph(json, panel);
        if (given === "trend") this.note(where, "x is time");
        break;
      case "heatmap":
        panel.options = { fromBuckets: options.calculate !== true };
        if (given === "histogram") this.note(where, "a histogram is drawn as a heatmap");
        break;
      case "table": {
        const [sort] = objectsOf(options.sortBy);
        if (sort)
          panel.options = { sortBy: textOf(sort.displayName), sortDown: sort.desc === true };
        break;
      }
    }
  }

  // The panel before "timeseries".
  graph(json: Json, panel: Panel): void {
    const [left] = objectsOf(json.yaxes);
    if (left) {
      if (typeof left.format === "string") panel.style.unit = left.format;
      if (numberOf(left.logBase, 1) > 1) panel.style.log = true;
      const min = Number(left.min ?? Number.NaN);
      if (Number.isFinite(min) && left.min !== null) panel.style.min = min;
    }
    if (json.stack === true) panel.style.stack = json.percentage === true ? "percent" : "normal";
    panel.style.fill = 10 * numberOf(json.fill, 1);
    panel.style.width = numberOf(json.linewidth, 1);
    if (json.bars === true) panel.style.draw = "bars";
    for (const o of objectsOf(json.seriesOverrides)) {
      const style: FieldStyle = {};
      if (o.transform === "negative-Y") style.negate = true;
      if (typeof o.color === "string") style.color = o.color;
      if (o.yaxis === 2) style.rightAxis = true;
      const alias = textOf(o.alias);
      const regex = /^\/(.*)\/$/.exec(alias);
      panel.overrides.push({ by: regex ? "regex" : "name", match: regex ? alias : alias, style });
    }
  }

  variable(json: Json): Variable | undefined {
    const name = textOf(json.name);
    const where = `variable ${name}`;
    const current = object(json.current).value;
    const chosen = (Array.isArray(current) ? current : [current]).filter(
      (v): v is string => typeof v === "string",
    );
    const query = isObject(json.query) ? textOf(json.query.query) : textOf(json.query);
    const base: Variable = {
      name,
      label: textOf(json.label),
      kind: "custom",
      query,
      regex: textOf(json.regex),
      sort: numberOf(json.sort, 0),
      multi: json.multi === true,
      includeAll: json.includeAll === true,
      allValue: textOf(json.allValue),
      hidden: json.hide === 2,
      chosen: chosen.map((v) => (v === "$__all" ? allValues : v)),
    };
    switch (json.type) {
      case "query":
        return { ...base, kind: "query", query: query || textOf(json.definition) };
      case "custom":
        return base;
      case "interval": {
        if (json.auto === true) this.note(where, "the choice “auto” is left out");
        return { ...base, kind: "interval" };
      }
      case "textbox":
        return { ...base, kind: "text" };
      case "constant":
        return { ...base, kind: "constant", hidden: true };
      case "adhoc":
        return {
          ...base,
          kind: "adhoc",
          query: "",
          chosen: objectsOf(json.filters).flatMap((f) => {
            const op = operators.find((o) => o === f.operator);
            const label = textOf(f.key);
            return op && label ? [encodeFilter({ label, op, value: textOf(f.value) })] : [];
          }),
        };
      case "datasource":
        return undefined; // there is one: this server
      default:
        this.note(where, `a variable of the type “${textOf(json.type)}” is left out`);
        return undefined;
    }
  }

  // Rows of old files hold their panels; of new ones only the collapsed do.
  panels(json: Json): Panel[] {
    const flat: Json[] = [];
    for (const panel of objectsOf(json.panels)) {
      flat.push(panel);
      if (panel.type === "row") flat.push(...objectsOf(panel.panels));
    }
    let y = 0;
    for (const row of objectsOf(json.rows)) {
      if (textOf(row.title) !== "" && row.showTitle === true) {
        flat.push({ type: "row", title: row.title, gridPos: { x: 0, y: y++, w: 24, h: 1 } });
      }
      let x = 0;
      let height = 8;
      for (const panel of objectsOf(row.panels)) {
        const w = numberOf(panel.span, 12) * 2;
        height = Math.max(height, Math.ceil((Number.parseInt(textOf(row.height), 10) || 250) / 36));
        flat.push({ ...panel, gridPos: { x, y, w, h: height } });
        x += w;
      }
      y += height;
    }
    return flat.flatMap((panel, at) => {
      const made = this.panel(panel, at);
      if (made && panel.type === "row" && panel.collapsed === true) made.collapsed = true;
      return made ?? [];
    });
  }

  dashboard(json: Json): Dashboard {
    const made = emptyDashboard();
    const time = object(json.time);
    made.title = textOf(json.title, "Imported dashboard");
    made.description = textOf(json.description);
    made.tags = listOf(json.tags).map((t) => textOf(t));
    made.range = { from: textOf(time.from, "now-6h"), to: textOf(time.to, "now") };
    const refresh = /^(\d+)([smh])$/.exec(textOf(json.refresh));
    const unit: Record<string, number> = { s: 1, m: 60, h: 3600 };
    made.refreshS = refresh ? Number(refresh[1]) * (unit[refresh[2] ?? ""] ?? 1) : 0;
    made.live = json.liveNow === true;
    made.panels = this.panels(json);
    made.variables = objectsOf(object(json.templating).list).flatMap((v) => this.variable(v) ?? []);
    for (const source of objectsOf(object(json.annotations).list)) {
      if (source.builtIn === 1) continue;
      const expression = textOf(source.expr, textOf(object(source.target).expr));
      if (expression === "") {
        this.note(`annotation ${textOf(source.name)}`, "is not PromQL and is left out");
        continue;
      }
      made.annotations.push({
        name: textOf(source.name),
        expression,
        title: textOf(source.titleFormat),
        color: textOf(source.iconColor, "#5b8def"),
        enabled: source.enable !== false,
        stepS: Number.parseInt(textOf(source.step), 10) || 0,
      });
    }
    for (const link of objectsOf(json.links)) {
      const title = textOf(link.title);
      const tags = listOf(link.tags).map((t) => textOf(t));
      made.links.push(
        link.type === "dashboards" ? { title, url: "", tags } : { title, url: textOf(link.url) },
      );
    }
    return made;
  }
}

export function isGrafana(json: unknown): boolean {
  const inner = isObject(json) && isObject(json.dashboard) ? json.dashboard : json;
  return isObject(inner) && ("schemaVersion" in inner || "templating" in inner || "rows" in inner);
}

export function importGrafana(json: unknown): Import {
  const inner = isObject(json) && isObject(json.dashboard) ? json.dashboard : json;
  if (!isObject(inner)) throw new Error("a dashboard is a JSON object");
  const importer = new Importer();
  // What an export asks for ("${DS_PROMETHEUS}") is this server; constants among it have values.
  const constants = objectsOf(inner.__inputs).filter((i) => i.type === "constant");
  let text = JSON.stringify(inner);
  for (const input of constants) {
    const value = JSON.stringify(textOf(input.value)).slice(1, -1);
    text = text.split(`\${${textOf(input.name)}}`).join(value);
  }
  const dashboard = importer.dashboard(JSON.parse(text) as Json);
  return { dashboard, notes: importer.notes };
}
