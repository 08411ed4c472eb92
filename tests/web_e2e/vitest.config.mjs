// SPDX-License-Identifier: Apache-2.0
// One browser and one server with data for all files, which run one after the other: two cores are
// busy with those already. The packages are the dashboard's, which this folder does not lie below.
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const packageFile = (path) =>
  fileURLToPath(new URL(`../../src/web/node_modules/${path}`, import.meta.url));

export default {
  resolve: {
    alias: {
      "axe-core": packageFile("axe-core/axe.js"),
      "playwright-core": packageFile("playwright-core/index.mjs"),
    },
  },
  server: { fs: { allow: ["../.."] } },
  test: {
    globals: true,
    dir: here,
    include: ["../../tests/web_e2e/*.test.ts"],
    globalSetup: [`${here}global_setup.ts`],
    pool: "forks",
    poolOptions: { forks: { singleFork: true } },
    isolate: false,
    fileParallelism: false,
    // Generous: under sanitizers and on a busy machine a page takes its time. Nothing waits for it.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    reporters: ["verbose"],
    chaiConfig: { truncateThreshold: 0 },
  },
};
