// SPDX-License-Identifier: Apache-2.0
// How the dashboard is served: under any prefix and behind a proxy, compressed, kept by the browser,
// closed to everything but itself.
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { makeDashboard } from "./support/dashboards";
import { open, settled, siteUrl } from "./support/page";
import { remoteWrite } from "./support/remote_write";
import { listen, Varve } from "./support/varve";

interface Raw {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

function raw(url: string, headers: Record<string, string> = {}): Promise<Raw> {
  return new Promise((done, failed) => {
    request(url, { headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () =>
        done({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(pieces),
        }),
      );
    })
      .on("error", failed)
      .end();
  });
}

async function assetsOf(url: string): Promise<string[]> {
  const html = (await raw(url)).body.toString();
  return [...html.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map((m) => m[1] ?? "");
}

async function load(varve: Varve): Promise<void> {
  const now = Date.now();
  await remoteWrite(varve.url, [
    { labels: { __name__: "steady" }, samples: [0, 1, 2, 3].map((at) => [now - at * 15_000, at]) },
  ]);
}

const explore = "explore?g0.expr=steady&g0.tab=graph&from=now-5m";

test("the first page is below 300 kB compressed", async () => {
  const { page, close } = await open("explore");
  await page.locator(".cm-content").waitFor();
  await settled(page);
  // All that is fetched to show Explore with its editor, not just what the page names.
  const names: string[] = await page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .map((entry) => entry.name)
      .filter((name) => name.includes("/assets/")),
  );
  let bytes = (await raw(`${siteUrl}explore`)).body.length;
  for (const name of new Set(names)) {
    bytes += (await raw(name, { "Accept-Encoding": "gzip" })).body.length;
  }
  console.log(`first page with its editor: ${(bytes / 1000).toFixed(1)} kB compressed`);
  expect(names.length).toBeGreaterThan(1);
  expect(bytes).toBeLessThan(300_000);
  await close();
});

test("files are named by content, kept for ever, and asked for once", async () => {
  const html = await raw(siteUrl);
  expect(html.headers["cache-control"]).toBe("no-cache");
  for (const path of await assetsOf(siteUrl)) {
    expect(path).toMatch(/-[0-9A-Za-z]{8}\.(js|css|svg)$/);
    const { status, headers } = await raw(siteUrl + path);
    expect(status).toBe(200);
    expect(headers["cache-control"]).toBe("public, max-age=31536000, immutable");
  }
  const { page, close } = await open("targets");
  await page.locator(".badge").first().waitFor();
  await page.goto(`${siteUrl}rules`);
  await page.locator(".badge, table").first().waitFor();
  const fetched = await page.evaluate(() =>
    (performance.getEntriesByType("resource") as PerformanceResourceTiming[])
      .filter((entry) => entry.name.includes("/assets/"))
      .map((entry) => entry.transferSize),
  );
  expect(fetched.length).toBeGreaterThan(1);
  expect(fetched.every((bytes) => bytes === 0)).toBe(true);
  await close();
});

test("files come in the coding the browser names, and mean the same bytes", async () => {
  const script = (await assetsOf(siteUrl)).find((path) => path.endsWith(".js")) ?? "";
  const ask = (accept: string) =>
    raw(siteUrl + script, accept ? { "Accept-Encoding": accept } : {});
  const plain = await ask("");
  expect(plain.headers["content-encoding"]).toBeUndefined();
  const gzip = await ask("gzip, deflate");
  expect(gzip.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(gzip.body).equals(plain.body)).toBe(true);
  const brotli = await ask("gzip, deflate, br, zstd");
  expect(brotli.headers["content-encoding"]).toBe("br");
  expect(brotliDecompressSync(brotli.body).equals(plain.body)).toBe(true);
  expect(brotli.body.length).toBeLessThan(gzip.body.length);
  const refused = await ask("br;q=0, gzip;q=0");
  expect(refused.headers["content-encoding"]).toBeUndefined();
  expect(refused.body.equals(plain.body)).toBe(true);
  for (const answer of [plain, gzip, brotli]) {
    expect(answer.headers.vary).toMatch(/accept-encoding/i);
    expect(answer.headers["x-content-type-options"]).toBe("nosniff");
  }
});

test("the policy allows the page itself and nothing else; there is no inline script", async () => {
  const { headers, body } = await raw(siteUrl);
  const policy = String(headers["content-security-policy"]);
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toContain("unsafe");
  expect(policy).not.toMatch(/https?:/);
  const scripts = [...body.toString().matchAll(/<script[^>]*>([^<]*)/g)];
  expect(scripts.length).toBeGreaterThan(0);
  for (const [, text] of scripts) expect(text).toBe("");
  expect(body.toString()).not.toMatch(/\son\w+=/);
});

async function visit(url: string): Promise<void> {
  const { page, close } = await open(explore, { site: url });
  await page.locator(".uplot").waitFor();
  const inside = new URL(url).pathname;
  for (const name of ["Dashboards", "Alerts", "Rules", "Targets", "Discovery", "Status"]) {
    await page.locator("nav").getByText(name, { exact: true }).click();
    await page.getByRole("heading", { name, exact: true, level: 1 }).waitFor();
    await settled(page);
    expect(new URL(page.url()).pathname.startsWith(inside)).toBe(true);
    expect(await page.getByRole("alert").count()).toBe(0);
  }
  await page.reload();
  await page.getByRole("heading", { name: "Status", level: 1 }).waitFor();
  await close();
}

test("under a route prefix every page works", async () => {
  const varve = await Varve.start({
    prefix: "/deep/varve",
    flags: ["--web.route-prefix=/deep/varve"],
  });
  try {
    await load(varve);
    await visit(varve.url);
  } finally {
    await varve.remove();
  }
});

// A proxy that takes its own path away and asks under the upstream's name, as nginx does by itself.
function proxyOf(path: string, upstream: () => number): Server {
  return createServer((incoming, outgoing) => {
    if (!incoming.url?.startsWith(path)) {
      outgoing.writeHead(404).end();
      return;
    }
    const forwarded = request(
      {
        host: "127.0.0.1",
        port: upstream(),
        method: incoming.method,
        path: incoming.url.slice(path.length - 1),
        headers: { ...incoming.headers, host: `127.0.0.1:${upstream()}` },
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forwarded.on("error", () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
}

test("behind a proxy with an external URL every page works, and dashboards can be saved", async () => {
  let varve: Varve | undefined;
  const proxy = proxyOf("/metrics-of/varve/", () => varve?.port ?? 0);
  const external = `http://127.0.0.1:${await listen(proxy)}/metrics-of/varve/`;
  try {
    varve = await Varve.start({
      flags: [`--web.external-url=${external}`, "--web.route-prefix=/"],
    });
    await load(varve);
    await visit(external);
    const id = await makeDashboard([{ title: "P", expression: "steady" }], {}, varve.url);
    const { page, close } = await open(`dashboards/${id}`, { site: external });
    await page.getByRole("group", { name: "P", exact: true }).waitFor();
    const status = await page.evaluate(async (address) => {
      const kept = (await (await fetch(address)).json()) as { data: object };
      const body = JSON.stringify({ ...kept.data, title: "Saved through the proxy" });
      return (await fetch(address, { method: "PUT", body })).status;
    }, `api/v1/dashboards/${id}`);
    expect(status).toBe(200);
    await close();
  } finally {
    await varve?.remove();
    await new Promise((done) => {
      proxy.close(done);
      proxy.closeAllConnections();
    });
  }
});

test("no page asks anything of another host, so that it works without a network", async () => {
  const { page, close } = await open("explore", { context: { serviceWorkers: "block" } });
  for (const name of ["Dashboards", "Alerts", "Targets", "Cardinality", "Status"]) {
    await page.locator("nav").getByText(name, { exact: true }).click();
    await settled(page);
  }
  await close(); // throws if there was such a request
});
