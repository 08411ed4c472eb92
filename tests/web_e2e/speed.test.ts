// SPDX-License-Identifier: Apache-2.0
// How long users wait. Figures are printed, not judged: the machine that runs the tests does other
// things too. Judged is what does not depend on it.
import { makeDashboard } from "./support/dashboards";
import { hour, open, settled } from "./support/page";

test("explore: from the request until it can be used", async () => {
  for (const visit of ["first", "second"]) {
    const { page, close } = await open("explore");
    await page.locator(".cm-content").waitFor();
    const readyMs = await page.evaluate(() => performance.now());
    console.log(`explore, ${visit} visit: editor ready after ${readyMs.toFixed(0)} ms`);
    await close();
  }
});

test("a dashboard of ten panels with a hundred series each is drawn whole", async () => {
  const panels = Array.from({ length: 10 }, (_, at) => ({
    title: `Memory ${at}`,
    expression: `pod_memory_bytes * ${at + 1}`,
    x: 12 * (at % 2),
    y: 4 * Math.floor(at / 2),
    w: 12,
    h: 4,
  }));
  const id = await makeDashboard(panels);
  const { page, close } = await open(`dashboards/${id}?${hour}`, {
    context: { viewport: { width: 1600, height: 1100 } },
  });
  await page.waitForFunction(() => document.querySelectorAll(".uplot canvas").length === 10);
  await settled(page);
  const drawnMs = await page.evaluate(() => performance.now());
  console.log(`10 panels of 100 series: drawn after ${drawnMs.toFixed(0)} ms`);
  for (const series of await page.locator(".dash-panel .legend").all()) {
    expect(await series.locator(".pick").count()).toBe(100);
  }
  const frames: number[] = await page.evaluate(
    () =>
      new Promise((done) => {
        const gaps: number[] = [];
        let last = performance.now();
        const step = (now: number) => {
          gaps.push(now - last);
          last = now;
          scrollBy(0, 40);
          if (gaps.length < 60) requestAnimationFrame(step);
          else done(gaps.sort((a, b) => a - b));
        };
        requestAnimationFrame(step);
      }),
  );
  const middle = frames[30] ?? 0;
  const worst = frames.at(-1) ?? 0;
  console.log(`scrolling: a frame every ${middle.toFixed(0)} ms, at worst ${worst.toFixed(0)} ms`);
  await close();
});
