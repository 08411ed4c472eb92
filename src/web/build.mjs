// SPDX-License-Identifier: Apache-2.0
// Bundles the dashboard: app/ becomes a folder of files named by their content's hash, each also
// compressed, and an index.html that names them. CMake embeds that folder into the binary.
// Usage: node build.mjs [OUT_DIR] [--check]. Needs node_modules (npm ci). With --check a first page
// that is too large is an error: for a test, as a large dashboard is still better than none.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const given = process.argv.slice(2);
const checks = given.includes("--check");
const out = resolve(given.find((a) => !a.startsWith("--")) ?? join(here, "../../build/web"));
// What a first visit may fetch, compressed.
const firstPageMaxBytes = 300_000;
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: { app: "app/main.tsx" },
  outdir: out,
  bundle: true,
  format: "esm",
  splitting: true,
  minify: true,
  sourcemap: false,
  target: ["es2021"],
  jsx: "automatic",
  jsxImportSource: "preact",
  entryNames: "[name]-[hash]",
  chunkNames: "part-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".svg": "file" },
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

const outputs = Object.entries(result.metafile.outputs).map(([path, info]) => ({
  name: basename(path),
  entry: info.entryPoint === "app/main.tsx",
  imports: info.imports.filter((i) => i.kind === "import-statement").map((i) => basename(i.path)),
  css: info.cssBundle ? basename(info.cssBundle) : undefined,
}));
const entry = outputs.find((o) => o.entry);
if (!entry) throw new Error("the bundle has no entry");

// What the entry needs at once is fetched at once, not in steps.
const preload = entry.imports.map((name) => `<link rel="modulepreload" href="assets/${name}">`);
const icon = readFileSync(join(here, "app/icon.svg"));
const iconName = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
writeFileSync(join(out, iconName), icon);
// {{base}}, {{title}} and {{options}} are filled in by the server, escaped.
writeFileSync(
  join(out, "index.html"),
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<base href="{{base}}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="varve-options" content="{{options}}">
<title>{{title}}</title>
<link rel="icon" href="assets/${iconName}">
<link rel="stylesheet" href="assets/${entry.css}">
${preload.join("\n")}
<script type="module" src="assets/${entry.name}"></script>
</head>
<body><div id="app"><noscript>The dashboard needs JavaScript; the API does not.</noscript></div></body>
</html>
`,
);

let first = 0;
for (const { name } of [...outputs, { name: iconName }]) {
  const bytes = readFileSync(join(out, name));
  const compressed = gzipSync(bytes, { level: 9 });
  writeFileSync(join(out, `${name}.gz`), compressed);
  writeFileSync(join(out, `${name}.br`), brotliCompressSync(bytes));
  if (name === entry.name || name === entry.css || entry.imports.includes(name)) {
    first += compressed.length;
  }
}
console.log(`web: ${outputs.length} files, first page ${(first / 1000).toFixed(1)} kB compressed`);
if (checks && first > firstPageMaxBytes) {
  console.error(`web: the first page is ${first} bytes, more than ${firstPageMaxBytes}`);
  process.exitCode = 1;
}
