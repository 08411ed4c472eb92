// SPDX-License-Identifier: Apache-2.0
// Everything that a mouse reaches, a keyboard reaches too.
import type { Page } from "playwright-core";
import { makeDashboard } from "./support/dashboards";
import { hour, open, pageTest, settled } from "./support/page";

const graph = `explore?g0.expr=node_load5&g0.tab=graph&${hour}`;

const focused = (page: Page) =>
  page.evaluate(() => {
    const at = document.activeElement;
    return (at?.getAttribute("aria-label") || at?.getAttribute("title") || at?.textContent) ?? "";
  });

// Tabs through the page until the focus returns; gives the names of what was passed.
async function tabThrough(page: Page, stepsMax = 200): Promise<string[]> {
  const names: string[] = [];
  for (let step = 0; step < stepsMax; ++step) {
    await page.keyboard.press("Tab");
    const atBody = await page.evaluate(() => document.activeElement === document.body);
    if (atBody && step > 0) break;
    names.push(await focused(page));
  }
  return names;
}

pageTest("the first Tab offers to skip the navigation", graph, async (page) => {
  await page.locator(".uplot").waitFor();
  await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("Skip to content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.closest("main") !== null)).toBe(true);
  expect(new URL(page.url()).searchParams.get("g0.expr")).toBe("node_load5");
});

pageTest("Tab reaches every control of Explore, and shows where it is", graph, async (page) => {
  await page.locator(".uplot").waitFor();
  await page.locator(".cm-content").waitFor();
  await settled(page);
  const names = await tabThrough(page);
  for (const wanted of [
    /Explore/,
    /Status/,
    /Step/,
    /Refresh/,
    /time range/,
    /History|run before/,
  ]) {
    expect(names.some((name) => wanted.test(name))).toBe(true);
  }
  const unseen: string[] = await page.evaluate(() => {
    const bad: string[] = [];
    for (const element of document.querySelectorAll<HTMLElement>(
      "main button, main a, main select",
    )) {
      element.focus();
      if (document.activeElement !== element) continue;
      const style = getComputedStyle(element);
      const ring = style.outlineStyle !== "none" || style.boxShadow !== "none";
      if (!ring) bad.push(element.outerHTML.slice(0, 100));
    }
    return bad;
  });
  expect(unseen).toEqual([]);
});

pageTest(
  "a menu opens by Enter, closes by Escape and gives the focus back",
  graph,
  async (page) => {
    await page.locator(".uplot").waitFor();
    const button = page.getByTitle("Choose the time range");
    await button.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "15m", exact: true }).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "15m", exact: true }).waitFor({ state: "detached" });
    await expect
      .poll(() => button.evaluate((element) => element === document.activeElement))
      .toBe(true);
  },
);

pageTest("a slash puts the cursor into the search field", "targets", async (page) => {
  await page.locator(".badge").first().waitFor();
  await page.keyboard.press("/");
  expect(await page.evaluate(() => document.activeElement?.getAttribute("type"))).toBe("search");
  await page.keyboard.type("nothing like it");
  await page.getByText("No target fits.").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".badge").first().waitFor();
});

pageTest("Tab leaves the editor when it has nothing to complete", "explore", async (page) => {
  await page.locator(".cm-content").click();
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.closest(".cm-editor"))).toBeNull();
});

test("a dashboard's panels are edited and saved without a mouse", async () => {
  const id = await makeDashboard([{ title: "Keys", expression: "node_load5" }]);
  const { page, close } = await open(`dashboards/${id}?${hour}`);
  await page.locator(".uplot").waitFor();
  const names = await tabThrough(page);
  expect(names).toContain("What can be done with this panel");
  expect(names).toContain("What can be done with this dashboard");
  await close();
});
