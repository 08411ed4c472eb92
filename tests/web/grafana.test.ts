// SPDX-License-Identifier: Apache-2.0
import { importGrafana, isGrafana } from "../../src/web/app/dashboard/grafana";
import { readDashboard } from "../../src/web/app/dashboard/model";

const file = {
  schemaVersion: 39,
  title: "Example",
  time: { from: "now-6h", to: "now" },
  refresh: "1m",
  templating: {
    list: [
      { type: "datasource", name: "ds", query: "prometheus" },
      {
        type: "query",
        name: "job",
        query: { query: "label_values(up, job)" },
        multi: true,
        includeAll: true,
        allValue: ".*",
        current: { value: ["$__all"] },
      },
      { type: "adhoc", name: "filters", filters: [{ key: "dc", operator: "=~", value: "a|b" }] },
      { type: "groupby", name: "grouping" },
    ],
  },
  panels: [
    {
      id: 1,
      type: "row",
      title: "A row",
      collapsed: true,
      gridPos: { x: 0, y: 0, w: 24, h: 1 },
      panels: [
        {
          id: 2,
          type: "timeseries",
          title: "Traffic",
          gridPos: { x: 0, y: 1, w: 12, h: 8 },
          targets: [{ refId: "A", expr: "rate(x[$__rate_interval])", legendFormat: "__auto" }],
          fieldConfig: {
            defaults: {
              unit: "Bps",
              custom: { fillOpacity: 20, stacking: { mode: "normal", group: "A" }, odd: 1 },
            },
            overrides: [
              {
                matcher: { id: "byRegexp", options: "/out/" },
                properties: [{ id: "custom.transform", value: "negative-Y" }],
              },
              { matcher: { id: "byType", options: "number" }, properties: [] },
            ],
          },
        },
      ],
    },
    { id: 3, type: "geomap", title: "Where", gridPos: { x: 0, y: 9, w: 12, h: 8 } },
    {
      id: 4,
      type: "stat",
      gridPos: { x: 12, y: 9, w: 6, h: 4 },
      targets: [{ refId: "A", expr: "up", instant: true }],
      options: { reduceOptions: { calcs: ["lastNotNull"] } },
      fieldConfig: {
        defaults: {
          mappings: [{ type: "value", options: { "0": { text: "down", color: "red" } } }],
          thresholds: { mode: "absolute", steps: [{ color: "red" }, { color: "green", value: 1 }] },
        },
      },
    },
  ],
};

test("panels, rows, overrides and variables come over", () => {
  const { dashboard } = importGrafana(file);
  expect(dashboard.refreshS).toBe(60);
  expect(dashboard.variables.map((v) => v.name)).toEqual(["job", "filters"]);
  expect(dashboard.variables[1]).toMatchObject({ kind: "adhoc", chosen: ["dc|=~|a__gfp__b"] });
  expect(dashboard.variables[0]).toMatchObject({ multi: true, allValue: ".*", chosen: ["$__all"] });
  const [row, traffic, , stat] = dashboard.panels;
  expect(row).toMatchObject({ type: "row", collapsed: true });
  expect(traffic).toMatchObject({
    type: "timeseries",
    w: 12,
    style: { unit: "Bps", fill: 20, stack: "normal" },
    overrides: [{ by: "regex", match: "/out/", style: { negate: true } }],
  });
  expect(traffic?.queries[0]?.legend).toBe("");
  expect(stat?.style.mappings).toEqual([{ kind: "value", match: "0", text: "down", color: "red" }]);
  expect(stat?.style.thresholds).toEqual([
    { from: null, color: "red" },
    { from: 1, color: "green" },
  ]);
});

test("what has no equivalent is listed with where it stood", () => {
  const { notes } = importGrafana(file);
  expect(notes).toHaveLength(4);
  expect(notes.join("\n")).toMatch(/geomap/);
  expect(notes.join("\n")).toMatch(/groupby/);
  expect(notes.join("\n")).toMatch(/“Traffic”.*custom\.odd/);
  expect(notes.join("\n")).toMatch(/byType/);
});

test("what was imported survives the server's JSON", () => {
  const { dashboard } = importGrafana(file);
  expect(readDashboard(JSON.parse(JSON.stringify(dashboard)))).toEqual(dashboard);
});

test("inputs of an export are filled in; the wrapped form is understood", () => {
  const { dashboard } = importGrafana({
    dashboard: {
      schemaVersion: 1,
      title: "t",
      __inputs: [{ name: "VAR_JOB", type: "constant", value: 'a"b' }],
      panels: [{ type: "text", options: { content: "$" + "{VAR_JOB}" } }],
    },
  });
  expect(dashboard.panels[0]?.options.text).toBe('a"b');
});

test.each([
  [null],
  [[]],
  [{ title: 3 }],
  [{ panels: "x", schemaVersion: 1 }],
  ["text"],
])("broken JSON (%j) gives an error or an empty dashboard, no crash", (json) => {
  if (isGrafana(json)) expect(importGrafana(json).dashboard.panels).toEqual([]);
  else expect(() => readDashboard(json)).toThrow(/dashboard|title/);
});

test("own ranges, cells of tables and links by tag come over", () => {
  const { dashboard, notes } = importGrafana({
    schemaVersion: 39,
    title: "More",
    liveNow: true,
    links: [
      { type: "dashboards", title: "Others", tags: ["team"] },
      { type: "link", title: "Docs", url: "https://example.org" },
    ],
    panels: [
      {
        id: 1,
        type: "table",
        title: "T",
        timeFrom: "now-24h",
        timeShift: "1d",
        fieldConfig: { defaults: { custom: { cellOptions: { type: "color-background" } } } },
      },
      { id: 2, type: "stat", title: "S", timeFrom: "1d/d" },
    ],
  });
  expect(dashboard.live).toBe(true);
  expect(dashboard.links).toEqual([
    { title: "Others", url: "", tags: ["team"] },
    { title: "Docs", url: "https://example.org" },
  ]);
  expect(dashboard.panels[0]).toMatchObject({
    span: "24h",
    shift: "1d",
    style: { cell: "background" },
  });
  expect(dashboard.panels[1]?.span).toBeUndefined();
  expect(notes).toEqual(["“S”: its own time range “1d/d” is left out"]);
});
