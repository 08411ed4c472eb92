// SPDX-License-Identifier: Apache-2.0
// Dashboards: variables, editing and saving, two people at once, panels that fail beside others.
import type { Page } from "playwright-core";
import { changeDashboard, makeDashboard, readDashboard } from "./support/dashboards";
import { hostile } from "./support/data";
import { accessibilityBreaches, hour, open, screenshot, settled } from "./support/page";

const panel = (page: Page, title: string) => page.getByRole("group", { name: title, exact: true });

test("another value of a variable asks the panels' queries again", async () => {
  const { page, close } = await open(`dashboards/node?${hour}`);
  await page.locator(".uplot").first().waitFor();
  await settled(page);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.postData() ?? ""));
  await page.getByRole("button", { name: "web-1:9100" }).click();
  await page.getByRole("button", { name: "web-2:9100" }).click();
  await expect.poll(() => page.url()).toContain("var-instance=web-2%3A9100");
  await expect
    .poll(() => asked.filter((body) => decodeURIComponent(body).includes('"web-2:9100"')).length)
    .toBeGreaterThan(3);
  await settled(page);
  await page.goBack();
  await page.getByRole("button", { name: "web-1:9100" }).waitFor();
  await close();
});

// Asks as a browser does that is told to leave, in the very step in which "not saved" is gone.
const askedWhenSaved = () =>
  new Promise<boolean>((done) => {
    const observer = new MutationObserver(() => {
      if (document.body.innerText.includes("not saved")) return;
      observer.disconnect();
      done(!dispatchEvent(new Event("beforeunload", { cancelable: true })));
    });
    observer.observe(document.body, { childList: true, subtree: true });
  });

test("a changed panel is saved as a new version, may be left at once, and is there afterwards", async () => {
  const id = await makeDashboard([{ title: "Before", expression: "node_load5" }]);
  const { page, close } = await open(`dashboards/${id}?${hour}`);
  await panel(page, "Before").locator(".uplot").waitFor();
  await openPanelMenu(page, "Before", "Edit");
  await page.getByLabel("Title", { exact: true }).fill("After");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText("not saved").waitFor();
  const asked = page.evaluate(askedWhenSaved);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  expect(await asked).toBe(false);
  const kept = await readDashboard(id);
  expect(kept.version).toBe(2);
  expect(kept.panels[0]?.title).toBe("After");
  await page.reload();
  await panel(page, "After").locator(".uplot").waitFor();
  await close();
});

async function openPanelMenu(page: Page, title: string, item: string): Promise<void> {
  await panel(page, title).getByTitle("What can be done with this panel").click();
  await panel(page, title).getByRole("button", { name: item, exact: true }).click();
}

async function conflict(id: string): Promise<{ page: Page; close: () => Promise<void> }> {
  const opened = await open(`dashboards/${id}?${hour}`, { allow: [/status of 409/] });
  const { page } = opened;
  await panel(page, "Mine").locator(".uplot").waitFor();
  await openPanelMenu(page, "Mine", "Edit");
  await page.getByLabel("Title", { exact: true }).fill("Changed by me");
  await page.getByRole("button", { name: "Apply" }).click();
  await changeDashboard(id, { title: "Changed by them" });
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText(/saved version 2 meanwhile \(the title/).waitFor();
  return opened;
}

test("a conflict says what the other changed; mine can be saved over it", async () => {
  const id = await makeDashboard([{ title: "Mine", expression: "node_load5" }]);
  const { page, close } = await conflict(id);
  await screenshot(page, "dashboard-conflict");
  await page.getByRole("button", { name: "Save mine over it" }).click();
  await page.getByText("not saved").waitFor({ state: "detached" });
  const kept = await readDashboard(id);
  expect(kept.version).toBe(3);
  expect(kept.panels[0]?.title).toBe("Changed by me");
  await close();
});

test("a conflict can be left to the other", async () => {
  const id = await makeDashboard([{ title: "Mine", expression: "node_load5" }]);
  const { page, close } = await conflict(id);
  await page.getByRole("button", { name: "take theirs" }).click();
  await page.getByRole("heading", { name: "Changed by them" }).waitFor();
  await page.getByText("not saved").waitFor({ state: "detached" });
  expect((await readDashboard(id)).version).toBe(2);
  await close();
});

test("panels are moved and sized by the keyboard, and stay there", async () => {
  const id = await makeDashboard([
    { title: "One", expression: "node_load5" },
    { title: "Two", expression: "node_load1" },
  ]);
  const { page, close } = await open(`dashboards/${id}?${hour}`);
  await panel(page, "One").locator(".uplot").waitFor();
  expect(await page.getByRole("button", { name: /^Move One/ }).count()).toBe(0);
  await page.getByRole("button", { name: "Edit", exact: true }).click();
  await page.getByRole("button", { name: /^Move Two/ }).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Shift+ArrowDown");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("not saved").waitFor({ state: "detached" });
  const { panels } = await readDashboard(id);
  expect(panels.find((p) => p.title === "Two")).toMatchObject({ x: 10, y: 0, w: 8, h: 9 });
  expect(panels.find((p) => p.title === "One")).toMatchObject({ x: 0, y: 0, w: 8, h: 8 });
  await close();
});

test("a panel is dragged to another place, and stays there", async () => {
  const id = await makeDashboard([{ title: "One", expression: "node_load5" }]);
  const { page, close } = await open(`dashboards/${id}?${hour}`);
  await panel(page, "One").locator(".uplot").waitFor();
  await page.getByRole("button", { name: "Edit", exact: true }).click();
  await page.locator(".ui-resizable-handle").first().waitFor({ state: "attached" });
  const grip = page.getByRole("button", { name: /^Move One/ });
  await grip.hover(); // which waits until it stands still
  const handle = await grip.boundingBox();
  const grid = await page.locator(".grid-stack").boundingBox();
  if (!handle || !grid) throw new Error("nothing to drag");
  const [x, y] = [handle.x + handle.width / 2, handle.y + handle.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + grid.width / 4, y, { steps: 5 });
  await page.mouse.move(x + grid.width / 2, y, { steps: 5 });
  await page.mouse.up();
  await page.getByText("not saved").waitFor();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("not saved").waitFor({ state: "detached" });
  const moved = (await readDashboard(id)).panels[0];
  expect(moved).toMatchObject({ w: 8, h: 8 });
  expect(moved?.x).toBeGreaterThanOrEqual(11);
  await close();
});

test("a live panel gets new points pushed, without asking for the range again", async () => {
  const id = await makeDashboard([
    { title: "Orders", type: "stat", expression: 'shop_orders_total{kind="book"}' },
    { title: "Over time", expression: 'shop_orders_total{kind="book"}' },
  ]);
  let ranges = 0;
  const { page, close } = await open(`dashboards/${id}?from=now-5m&to=now&refresh=live`, {
    before: async (p) => {
      p.on("request", (r) => {
        if (r.url().includes("query_range")) ++ranges;
      });
    },
  });
  const number = panel(page, "Orders").locator(".stat-value");
  await number.waitFor();
  await panel(page, "Over time").locator(".uplot").waitFor();
  // One that begins, or that has fallen behind on a busy machine, may ask; then no more.
  let asked = ranges;
  const seen = new Set<string>();
  await expect
    .poll(async () => {
      if (asked !== ranges) seen.clear();
      asked = ranges;
      return seen.add(await number.innerText()).size;
    })
    .toBeGreaterThan(3);
  expect(await page.locator(".live-sign.pushed").count()).toBe(1);
  await close();
});

test("where nothing can be pushed a live dashboard says that it polls", async () => {
  const id = await makeDashboard([{ title: "Queue", expression: "shop_queue_length" }]);
  const { page, close } = await open(`dashboards/${id}?from=now-5m&to=now&refresh=live`, {
    allow: [/api\/v1\/live/],
    before: (p) => p.route("**/api/v1/live", (route) => route.fulfill({ status: 503 })),
  });
  await panel(page, "Queue").locator(".uplot").waitFor();
  await page.locator(".live-sign.polled").waitFor();
  expect(await panel(page, "Queue").getByRole("alert").count()).toBe(0);
  await close();
});

test("a failing panel says why in its place while the others are drawn", async () => {
  const id = await makeDashboard([
    { title: "Works", expression: "node_load5" },
    { title: "Fails", expression: "node_load5 * on () node_load1" },
    { title: "Wrong", expression: "sum(rate(" },
    { title: "Nothing there", expression: "no_such_metric" },
    { title: "Works too", expression: "node_load1" },
  ]);
  const { page, close } = await open(`dashboards/${id}?${hour}`, {
    allow: [/status of 4\d\d/],
  });
  await panel(page, "Works").locator(".uplot").waitFor();
  await panel(page, "Works too").locator(".uplot").waitFor();
  await panel(page, "Fails")
    .getByRole("alert")
    .getByText(/many-to-many|duplicate series/)
    .waitFor();
  await panel(page, "Wrong")
    .getByRole("alert")
    .getByText(/parse error/)
    .waitFor();
  await panel(page, "Nothing there")
    .getByText(/no data/i)
    .waitFor();
  await screenshot(page, "dashboard-failing-panels");
  await close();
});

test("a slow panel does not hold up the others", async () => {
  const id = await makeDashboard([
    { title: "Slow", expression: "node_load5 + 0" },
    { title: "Fast", expression: "node_load1" },
  ]);
  let release = () => {};
  const released = new Promise<void>((done) => {
    release = done;
  });
  const { page, close } = await open(`dashboards/${id}?${hour}`, {
    before: async (p) => {
      await p.route("**/api/v1/query_range", async (route) => {
        if (route.request().postData()?.includes("%2B+0")) await released;
        await route.continue();
      });
    },
  });
  await panel(page, "Fast").locator(".uplot").waitFor();
  await panel(page, "Slow").getByRole("status", { name: "Loading" }).waitFor();
  release();
  await panel(page, "Slow").locator(".uplot").waitFor();
  await close();
});

test("panels that cannot be seen ask nothing until they are scrolled to", async () => {
  const many = Array.from({ length: 30 }, (_, at) => ({
    title: `Panel ${at}`,
    expression: `node_load5 * ${at}`,
  }));
  const id = await makeDashboard(many);
  let asked = 0;
  const { page, close } = await open(`dashboards/${id}?${hour}`, {
    before: async (p) => {
      p.on("request", (r) => {
        if (r.url().includes("query_range")) ++asked;
      });
    },
  });
  await panel(page, "Panel 0").locator(".uplot").waitFor();
  await settled(page);
  expect(asked).toBeLessThan(18);
  await panel(page, "Panel 29").scrollIntoViewIfNeeded();
  await panel(page, "Panel 29").locator(".uplot").waitFor();
  await close();
});

test("every kind of panel draws what it is for", async () => {
  const kinds: [string, string, string][] = [
    ["timeseries", "sum by (instance) (rate(http_requests_total[5m]))", ".uplot"],
    ["bars", "sum by (code) (rate(http_requests_total[5m]))", ".uplot"],
    ["stat", "sum(rate(http_requests_total[5m]))", ".stat-value"],
    ["gauge", "node_load5 / 4", "svg path"],
    ["bargauge", "node_load5", ".bar-track"],
    ["table", "node_load5", "td"],
    ["heatmap", "sum by (le) (rate(http_request_duration_seconds_bucket[5m]))", "canvas"],
    ["heatmap", "sum(rate(shop_latency_seconds[5m]))", "canvas"],
    ["pie", "sum by (code) (rate(http_requests_total[5m]))", "svg path"],
    ["state-timeline", "shop_state", ".timeline-track"],
    ["alert-list", "", ".badge"],
    ["text", "", "h3"],
  ];
  const id = await makeDashboard(
    kinds.map(([type, expression], at) => ({
      type,
      title: `${type} ${at}`,
      expression,
      legend: "{{instance}}{{code}}",
      options: type === "text" ? { text: `## A heading\n\n${hostile}` } : {},
    })),
  );
  for (const look of ["light", "dark", "phone"] as const) {
    const { page, close } = await open(`dashboards/${id}?${hour}`, { look });
    for (const [at, [type, , selector]] of kinds.entries()) {
      const at_ = panel(page, `${type} ${at}`);
      await at_.scrollIntoViewIfNeeded();
      await at_.locator(selector).first().waitFor();
    }
    await settled(page);
    await page.evaluate(() => scrollTo(0, 0)); // else the page's head lies over a panel's
    expect(await accessibilityBreaches(page, ".grid")).toEqual([]);
    await page.screenshot({
      path: `${process.env.VARVE_E2E_SCREENSHOTS}/dashboard-kinds-${look}.png`,
      fullPage: true,
    });
    expect(await page.locator("main script, main img").count()).toBe(0);
    await close();
  }
});

test("hostile names of a dashboard, its panels and variables are text", async () => {
  const id = await makeDashboard([{ title: hostile, expression: "hostile", legend: hostile }], {
    title: hostile,
    description: hostile,
    tags: [hostile],
    variables: [{ name: "x", kind: "query", query: "label_values(hostile, path)", label: hostile }],
    links: [{ title: "bad", url: "javascript:alert(1)" }],
  });
  const { page, close } = await open(`dashboards/${id}?${hour}`);
  await page.locator(".uplot").waitFor();
  await settled(page);
  expect(await page.locator("h1").innerText()).toBe(hostile);
  expect(await page.locator('a[href^="javascript"]').count()).toBe(0);
  await page.locator("nav").getByText("Dashboards").click();
  await page.getByRole("link", { name: hostile }).waitFor();
  expect(await page.locator("main script, main img").count()).toBe(0);
  await close();
});

async function importText(page: Page, text: string): Promise<void> {
  const chooser = page.waitForEvent("filechooser");
  await page
    .getByRole("button", { name: /import/i })
    .first()
    .click();
  await (await chooser).setFiles({
    name: "dashboard.json",
    mimeType: "application/json",
    buffer: Buffer.from(text),
  });
}

test("broken JSON is refused with the reason, and nothing is kept", async () => {
  const { page, close } = await open("dashboards");
  for (const [text, reason] of [
    ["{", /not JSON/],
    ["[1, 2]", /JSON object/],
    ['{"panels": []}', /no title/],
    ['{"title": "x", "panels": [{"type": "exploding"}]}', /exploding/],
  ] as const) {
    await importText(page, text);
    await page.getByRole("alert").getByText(reason).waitFor();
  }
  await close();
});

test("a dashboard of Grafana's is imported, and what has no equivalent is listed", async () => {
  const { page, close } = await open("dashboards");
  const grafana = {
    title: "From Grafana",
    schemaVersion: 39,
    templating: {
      list: [{ name: "instance", type: "query", query: "label_values(node_load5, instance)" }],
    },
    panels: [
      {
        id: 1,
        type: "timeseries",
        title: "Load of $instance",
        gridPos: { x: 0, y: 0, w: 12, h: 8 },
        targets: [{ refId: "A", expr: 'node_load5{instance="$instance"}' }],
        fieldConfig: { defaults: { unit: "short" }, overrides: [] },
      },
      { id: 2, type: "geomap", title: "Where", gridPos: { x: 12, y: 0, w: 12, h: 8 } },
    ],
  };
  await importText(page, JSON.stringify(grafana));
  await page
    .getByText(/geomap/)
    .first()
    .waitFor();
  await page.getByRole("group", { name: /Load of web-1/ }).waitFor();
  await close();
});
