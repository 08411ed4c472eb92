// SPDX-License-Identifier: Apache-2.0
// Every page with data, in light, dark and at phone width: it shows what it should, axe-core finds
// nothing against WCAG AA, nothing is wider than the screen, and a screenshot is kept.
import type { Page } from "playwright-core";
import {
  accessibilityBreaches,
  hour,
  type Look,
  pageTest,
  screenshot,
  settled,
} from "./support/page";

interface View {
  name: string;
  path: string;
  ready: (page: Page) => Promise<void>;
  judged?: string; // the part that is looked at, where an open menu lies over the rest
}

const query = (expression: string, tab: string) =>
  `explore?g0.expr=${encodeURIComponent(expression)}&g0.tab=${tab}&${hour}`;
const sees = (text: string | RegExp) => async (page: Page) =>
  page.locator("main").getByText(text).first().waitFor();
const plots = (count: number) => async (page: Page) => {
  await page
    .locator(".uplot canvas")
    .nth(count - 1)
    .waitFor();
};

const panels = async (page: Page) => {
  await page.locator(".dash-panel").locator(".uplot canvas, .gauge, .stat-value").first().waitFor();
};

const views: View[] = [
  {
    name: "explore-graph",
    path: query("sum by (instance, mode) (rate(node_cpu_seconds_total[5m]))", "graph"),
    ready: plots(1),
  },
  { name: "explore-table", path: query("node_load5", "table"), ready: sees("web-1:9100") },
  { name: "explore-json", path: query("node_load5", "json"), ready: sees("resultType") },
  { name: "explore-empty", path: "explore", ready: sees("Write an expression") },
  { name: "explore-error", path: query("sum(rate(up[5m])", "graph"), ready: sees(/Invalid query/) },
  { name: "dashboards", path: "dashboards", ready: sees("Node") },
  { name: "dashboard-node", path: `dashboards/node?${hour}`, ready: panels },
  {
    name: "dashboard-service",
    path: `dashboards/service?${hour}&var-requests=http_requests_total&var-duration=http_request_duration_seconds`,
    ready: panels,
  },
  { name: "dashboard-varve", path: "dashboards/varve", ready: panels },
  {
    name: "dashboard-edit",
    path: `dashboards/node?${hour}`,
    ready: async (page) => {
      await panels(page);
      await page.getByRole("button", { name: "Edit", exact: true }).click();
      await page.getByRole("button", { name: /^Move Processor: / }).waitFor();
    },
  },
  {
    name: "panel-editor",
    path: `dashboards/node?${hour}&panel=1`,
    ready: async (page) => {
      await panels(page);
      await page.getByTitle("What can be done with this panel").first().click();
      await page.getByRole("button", { name: "Edit", exact: true }).last().click();
      await page.getByRole("region", { name: "Edit the panel" }).waitFor();
      await page.locator(".cm-content").first().waitFor();
    },
  },
  {
    name: "time-picker",
    path: query("node_load5", "graph"),
    ready: async (page) => {
      await plots(1)(page);
      await page.getByTitle("Choose the time range").click();
      await page.getByRole("button", { name: "15m", exact: true }).waitFor();
    },
    judged: ".menu-panel",
  },
  { name: "alerts", path: "alerts", ready: sees("TargetDown") },
  { name: "rules", path: "rules", ready: sees("pairs:broken") },
  { name: "targets", path: "targets", ready: sees(/refused/) },
  { name: "discovery", path: "service-discovery", ready: sees("dropped") },
  { name: "cardinality", path: "cardinality", ready: sees("Metrics") },
  { name: "status", path: "status", ready: sees(/storage\.tsdb\.path/) },
  { name: "dashboard-absent", path: "dashboards/absent", ready: sees("All dashboards") },
];

describe.each<Look>(["light", "dark", "phone"])("in %s", (look) => {
  for (const view of views) {
    pageTest(
      `${view.name} shows its data and keeps WCAG AA`,
      view.path,
      async (page) => {
        await view.ready(page);
        await settled(page);
        await screenshot(page, `${view.name}-${look}`);
        expect(await accessibilityBreaches(page, view.judged)).toEqual([]);
        const wider = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect(wider, "the page scrolls sideways").toBeLessThanOrEqual(0);
      },
      // What the views with an error are about.
      { look, allow: [/query_range/, /dashboards\/absent/] },
    );
  }
});
