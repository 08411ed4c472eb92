// SPDX-License-Identifier: Apache-2.0
// A server that goes away, is busy or comes back: pages keep what they have, say what is wrong, and
// recover by themselves.
import type { Page } from "playwright-core";
import { makeDashboard } from "./support/dashboards";
import { open, settled } from "./support/page";
import { remoteWrite } from "./support/remote_write";
import { until, Varve } from "./support/varve";

// What a page says of requests that fail while the server is away.
const outage = [/Failed to load resource/, /ERR_CONNECTION_REFUSED/, /status of 50[234]/];

let varve: Varve;
beforeAll(async () => {
  varve = await Varve.start({
    config: (port) => `
global: {scrape_interval: 1s}
storage: {tsdb: {out_of_order_time_window: 1h}}
scrape_configs:
  - job_name: varve
    static_configs: [{targets: ["127.0.0.1:${port}"]}]
`,
  });
  const now = Math.floor(Date.now() / 1000) * 1000;
  await remoteWrite(varve.url, [
    {
      labels: { __name__: "steady", job: "test" },
      samples: Array.from({ length: 120 }, (_, at) => [now - (120 - at) * 5000, at]),
    },
  ]);
  await until("a scrape", async () => {
    const path = "api/v1/query?query=up";
    return (await varve.json<{ result: unknown[] }>(path)).result.length > 0;
  });
});
afterAll(() => varve.remove());

async function busy(page: Page): Promise<() => Promise<void>> {
  await page.route("**/api/v1/**", (route) =>
    route.fulfill({
      status: 503,
      contentType: "application/json",
      body: '{"status":"error","errorType":"unavailable","error":"the log is being replayed"}',
    }),
  );
  return () => page.unroute("**/api/v1/**");
}

test("explore keeps its graph while the server restarts, and goes on by itself", async () => {
  const { page, close } = await open("explore?g0.expr=steady&g0.tab=graph&refresh=1&from=now-15m", {
    site: varve.url,
    allow: outage,
  });
  await page.locator(".uplot").waitFor();
  await varve.stop();
  await page.getByRole("alert").getByText("No connection").waitFor();
  expect(await page.locator(".uplot").count()).toBe(1);
  await varve.resume();
  await page.getByRole("alert").waitFor({ state: "detached" });
  expect(await page.locator(".uplot").count()).toBe(1);
  await close();
});

test("a dashboard keeps its panels while the server restarts, and goes on by itself", async () => {
  const id = await makeDashboard([{ title: "Steady", expression: "steady" }], {}, varve.url);
  const { page, close } = await open(`dashboards/${id}?from=now-15m&refresh=1`, {
    site: varve.url,
    allow: outage,
  });
  await page.locator(".uplot").waitFor();
  await varve.stop();
  await page.getByRole("status").getByText("not up to date").waitFor();
  expect(await page.locator(".uplot").count()).toBe(1);
  await varve.resume();
  await page.getByText("not up to date").waitFor({ state: "detached" });
  expect(await page.locator(".uplot").count()).toBe(1);
  await close();
});

test.each([
  ["explore?g0.expr=steady&g0.tab=graph&from=now-15m", ".uplot"],
  ["dashboards", ".dash-list li"],
  ["targets", ".badge.up"],
  ["service-discovery", ".tag"],
  ["cardinality", "td"],
  ["status", "dd"],
  ["alerts", ".notice.empty"],
  ["rules", ".notice.empty"],
])("%s, opened while the server is busy, says so and fills when it answers", async (path, sign) => {
  let free = async () => {};
  const { page, close } = await open(path, {
    site: varve.url,
    allow: outage,
    before: async (p) => {
      free = await busy(p);
    },
  });
  await page
    .getByRole("alert")
    .getByText(/busy or starting/)
    .first()
    .waitFor();
  await page.getByText("the log is being replayed").first().waitFor();
  await free();
  await page.locator(sign).first().waitFor();
  // Each part of a page comes back by itself.
  await expect.poll(() => page.getByRole("alert").count()).toBe(0);
  await settled(page);
  await close();
});

test("a proxy's 502 while the server restarts is waited out too", async () => {
  const { page, close } = await open("targets", {
    site: varve.url,
    allow: outage,
    before: (p) =>
      p.route(
        "**/api/v1/targets**",
        (route) => route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad" }),
        { times: 1 },
      ),
  });
  await page.getByRole("alert").first().waitFor();
  await page.locator(".badge.up").first().waitFor();
  await expect.poll(() => page.getByRole("alert").count()).toBe(0);
  await close();
});
