// SPDX-License-Identifier: Apache-2.0
// The unit tests stand with all others in tests/, outside this folder; what they need is global.
import { defineConfig } from "vitest/config";

export default defineConfig({
  server: { fs: { allow: ["../.."] } },
  test: { globals: true, include: ["../../tests/web/**/*.test.ts"], dir: "../../tests/web" },
});
