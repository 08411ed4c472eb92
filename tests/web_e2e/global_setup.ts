// SPDX-License-Identifier: Apache-2.0
// Starts what all files share, before them: the server with its data, and the browser. They learn of
// it by environment variables, which the workers inherit.
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";
import { startSite } from "./support/site";

export default async function setup(): Promise<() => Promise<void>> {
  const { VARVE_E2E_BROWSER: executablePath, VARVE_E2E_SCREENSHOTS: screenshots } = process.env;
  if (!executablePath || !screenshots) throw new Error("run these tests by run.mjs");
  mkdirSync(screenshots, { recursive: true });
  const site = await startSite();
  try {
    const browser = await chromium.launchServer({
      executablePath,
      headless: true,
      timeout: 120_000,
      // A container's root has no sandbox, and its /dev/shm is small.
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    });
    process.env.VARVE_E2E_URL = site.varve.url;
    process.env.VARVE_E2E_END_MS = String(site.endMs);
    process.env.VARVE_E2E_BROWSER_SOCKET = browser.wsEndpoint();
    return async () => {
      await browser.close();
      await site.stop();
    };
  } catch (error) {
    await site.stop();
    throw error;
  }
}
