// SPDX-License-Identifier: Apache-2.0
// Explore: what the mouse and the URL do, and what hostile or huge results do to it.
import type { Page } from "playwright-core";
import { hostile, manySeries } from "./support/data";
import { endMs, hour, open, pageTest, settled, siteUrl } from "./support/page";

const graph = (expression: string, more = "") =>
  `explore?g0.expr=${encodeURIComponent(expression)}&g0.tab=graph&${hour}${more}`;
const rate = "sum by (instance) (rate(http_requests_total[5m]))";

async function legendNames(page: Page): Promise<string[]> {
  return (await page.locator(".legend .pick").allInnerTexts()).sort();
}

async function drag(page: Page, from: number, to: number): Promise<void> {
  const box = await page.locator(".uplot .u-over").first().boundingBox();
  if (!box) throw new Error("no plot");
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + from * box.width, y);
  await page.mouse.down();
  await page.mouse.move(box.x + ((from + to) / 2) * box.width, y, { steps: 4 });
  await page.mouse.move(box.x + to * box.width, y, { steps: 4 });
  await page.mouse.up();
}

pageTest(
  "dragging over a graph zooms, the URL says so, and Back undoes it",
  graph(rate),
  async (page) => {
    await page.locator(".uplot").waitFor();
    await settled(page);
    const before = page.url();
    await drag(page, 0.25, 0.75);
    await expect.poll(() => page.url()).not.toBe(before);
    const zoomed = new URL(page.url()).searchParams;
    const span = Date.parse(zoomed.get("to") ?? "") - Date.parse(zoomed.get("from") ?? "");
    expect(span).toBeGreaterThan(0.45 * 3_600_000);
    expect(span).toBeLessThan(0.55 * 3_600_000);
    expect(zoomed.get("g0.expr")).toBe(rate);
    await settled(page);
    await page.goBack();
    await expect.poll(() => page.url()).toBe(before);
  },
);

test("a link shows somebody else the same", async () => {
  const mine = await open(graph(rate, "&g0.mode=stacked&g0.unit=reqps&g0.legend={{instance}}"));
  await mine.page.locator(".uplot").waitFor();
  await settled(mine.page);
  const before = mine.page.url();
  await drag(mine.page, 0.3, 0.6);
  await expect.poll(() => mine.page.url()).not.toBe(before);
  await settled(mine.page);
  await expect.poll(() => legendNames(mine.page)).toEqual(["shop-1:8080", "shop-2:8080"]);
  const url = new URL(mine.page.url());
  const theirs = await open(url.pathname.slice(1) + url.search);
  await theirs.page.locator(".uplot").waitFor();
  await settled(theirs.page);
  expect(await legendNames(theirs.page)).toEqual(await legendNames(mine.page));
  const cells = async (page: Page) =>
    (await page.locator(".legend tbody tr").allInnerTexts()).sort().join("\n");
  const same = async (what: (page: Page) => Promise<string>) =>
    (await what(theirs.page)) === (await what(mine.page));
  await mine.page.mouse.move(0, 0);
  await expect.poll(() => same(cells)).toBe(true);
  const mode = theirs.page.getByLabel("How it is drawn");
  expect(await mode.inputValue()).toBe("stacked");
  const picture = async (page: Page) =>
    (await page.locator(".uplot").first().screenshot()).toString("base64");
  await expect.poll(() => same(picture)).toBe(true);
  await mine.close();
  await theirs.close();
});

pageTest("typing an expression and Enter runs it", "explore", async (page) => {
  const editor = page.getByRole("textbox", { name: "PromQL expression" });
  await page.locator(".cm-content").waitFor();
  await editor.click();
  await page.keyboard.type("node_load5");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Enter");
  await page.locator(".uplot").waitFor();
  expect(new URL(page.url()).searchParams.get("g0.expr")).toBe("node_load5");
});

test("who types before the editor has come goes on in it", async () => {
  let release = () => {};
  const released = new Promise<void>((done) => {
    release = done;
  });
  const firstPage = await (await fetch(`${siteUrl}explore`)).text();
  const { page, close } = await open("explore", {
    before: (p) =>
      p.route("**/assets/*.js", async (route) => {
        const name = route.request().url().split("/").at(-1) ?? "";
        if (!firstPage.includes(name)) await released;
        await route.continue();
      }),
  });
  await page.locator("textarea.editor").click();
  await page.keyboard.type("node_");
  release();
  await page.locator(".cm-content").waitFor();
  await page.keyboard.type("load5");
  await expect.poll(() => page.locator(".cm-content").innerText()).toBe("node_load5");
  await close();
});

pageTest("the editor completes metrics, labels and their values", "explore", async (page) => {
  await page.locator(".cm-content").click();
  const choose = async (text: string) =>
    page.locator(".cm-tooltip-autocomplete li").getByText(text, { exact: true }).first().waitFor();
  await page.keyboard.type("http_requ");
  await choose("http_requests_total");
  await page.keyboard.press("Escape");
  await page.keyboard.type("ests_total{me");
  await choose("method");
  await page.keyboard.press("Escape");
  await page.keyboard.type('thod="');
  await choose("POST");
});

pageTest("the editor marks what is wrong in an expression", "explore", async (page) => {
  await page.locator(".cm-content").click();
  await page.keyboard.type("sum by (instance) (rate(up))");
  await page.locator(".cm-lintRange-error").waitFor();
});

pageTest(
  "a query the server refuses says why, and the next good one replaces it",
  graph("sum(rate(up[5m])"),
  async (page) => {
    await page
      .getByRole("alert")
      .getByText(/parse error/)
      .waitFor();
    await page.locator(".cm-content").click();
    await page.keyboard.press("ControlOrMeta+a");
    // Chromium types over a selection with an inline style of its own, which the policy forbids.
    await page.keyboard.press("Backspace");
    await page.keyboard.type("node_load5");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Enter");
    await page.locator(".uplot").waitFor();
    await expect.poll(() => page.getByRole("alert").count()).toBe(0);
  },
  { allow: [/status of 400/] },
);

pageTest(
  "ten thousand series are drawn up to a limit, with a note",
  graph("many"),
  async (page) => {
    await page.getByText(new RegExp(`The first \\d+ of ${manySeries} series are drawn`)).waitFor();
    await settled(page);
    expect(await page.locator(".legend .pick").count()).toBeLessThanOrEqual(1000);
    await page.getByText(new RegExp(`${manySeries} series`)).waitFor();
  },
);

pageTest(
  "a table of ten thousand rows draws some and offers the others",
  `explore?g0.expr=many&g0.tab=table&${hour}`,
  async (page) => {
    await page.getByText(`500 of ${manySeries} rows`).waitFor();
    await page.getByRole("button", { name: "Show more" }).click();
    await page.getByText(`2500 of ${manySeries} rows`).waitFor();
  },
);

pageTest(
  "NaN and infinities neither break the graph nor are lost in the table",
  graph("edge"),
  async (page) => {
    await page.locator(".uplot").waitFor();
    await expect.poll(() => legendNames(page)).toHaveLength(5);
    await page.getByRole("tab", { name: "Table" }).click();
    for (const value of ["NaN", "+Inf", "-Inf"]) {
      await page.getByRole("cell", { name: value, exact: true }).first().waitFor();
    }
  },
);

// Quotes and line breaks stand escaped in a series' name.
const hostileStart = hostile.slice(0, 40);

pageTest("label values are text, whatever they contain", graph("hostile"), async (page) => {
  await page.locator(".legend").getByText(hostileStart).first().waitFor();
  const box = await page.locator(".uplot .u-over").boundingBox();
  if (!box) throw new Error("no plot");
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.getByRole("tab", { name: "Table" }).click();
  await page.getByRole("cell").getByText(hostileStart).first().waitFor();
  await page.getByRole("tab", { name: "JSON" }).click();
  await page.locator("pre").getByText("<script>").waitFor();
  expect(await page.locator("main script, main img").count()).toBe(0);
});

pageTest(
  "hostile labels are text on alerts, rules, targets and discovery too",
  "alerts",
  async (page) => {
    await page.getByText(hostileStart).first().waitFor();
    for (const [path, text] of [
      ["rules", "<script>.*"],
      ["targets", "<b>not bold</b>"],
      ["service-discovery", "<b>not bold</b>"],
    ] as const) {
      await page.locator(`nav a[href$="${path}"]`).click();
      await page.getByText(text).first().waitFor();
    }
    expect(await page.locator("main script, main img").count()).toBe(0);
  },
);

pageTest(
  "a link made for Prometheus's page opens the same query",
  `graph?g0.expr=node_load5&g0.tab=1&g0.range_input=30m&g0.end_input=${encodeURIComponent(
    new Date(endMs).toISOString().slice(0, 19).replace("T", " "),
  )}`,
  async (page) => {
    await page.getByRole("cell").getByText("web-1:9100").waitFor();
  },
);
