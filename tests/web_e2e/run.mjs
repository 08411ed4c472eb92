// SPDX-License-Identifier: Apache-2.0
// Runs the end-to-end tests, or says what they lack and ends with 77, which ctest shows as skipped.
// Usage: node run.mjs VARVE_BINARY SCREENSHOT_FOLDER [arguments of vitest]
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const web = join(here, "../../src/web");
const [binary, screenshots, ...rest] = process.argv.slice(2);
if (!binary || !screenshots) {
  console.error("usage: run.mjs VARVE_BINARY SCREENSHOT_FOLDER");
  process.exit(2);
}

function skip(reason) {
  console.log(`end-to-end tests skipped: ${reason}`);
  process.exit(77);
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const folders = (process.env.PATH ?? "").split(delimiter);
const browser =
  process.env.VARVE_E2E_BROWSER ??
  names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
const vitest = join(web, "node_modules/vitest/vitest.mjs");
if (!existsSync(vitest)) skip("the dashboard's packages are not there (npm ci in src/web)");
if (!browser) skip(`no browser: none of ${names.join(", ")} is in PATH`);
if (!isProgram(browser)) skip(`the browser ${browser} cannot be run`);

const run = spawnSync(
  process.execPath,
  [vitest, "run", "--root", web, "--config", join(here, "vitest.config.mjs"), ...rest],
  {
    cwd: web,
    stdio: "inherit",
    env: {
      ...process.env,
      VARVE_E2E_BINARY: resolve(binary),
      VARVE_E2E_BROWSER: browser,
      VARVE_E2E_SCREENSHOTS: resolve(screenshots),
    },
  },
);
process.exit(run.status ?? 1);
