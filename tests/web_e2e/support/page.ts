// SPDX-License-Identifier: Apache-2.0
// Opens pages, and watches over each: an error in the console, a breach of the content-security
// policy, a dialog or a request to another host fails the test that caused it.
import axe from "axe-core";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";

export const siteUrl = process.env.VARVE_E2E_URL ?? "";
export const endMs = Number(process.env.VARVE_E2E_END_MS);
// The hour that has data, for URLs.
export const hour = `from=${new Date(endMs - 3_600_000).toISOString()}&to=${new Date(endMs).toISOString()}`;

let shared: Promise<Browser> | undefined;
export function browser(): Promise<Browser> {
  shared ??= chromium.connect(process.env.VARVE_E2E_BROWSER_SOCKET ?? "");
  return shared;
}

export type Look = "light" | "dark" | "phone";

export interface OpenOptions {
  site?: string; // "": that of the tests
  look?: Look;
  allow?: RegExp[]; // messages of the console that the test provokes
  context?: BrowserContextOptions;
  before?: (page: Page) => Promise<void>; // before the first request
}

export interface Opened {
  page: Page;
  problems: string[]; // what the watch has seen
  close: () => Promise<void>; // throws if there was a problem
}

const looks: Record<Look, BrowserContextOptions> = {
  light: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  phone: {
    viewport: { width: 390, height: 844 },
    colorScheme: "light",
    hasTouch: true,
    isMobile: true,
    deviceScaleFactor: 2,
  },
};

async function watch(context: BrowserContext, page: Page, site: string, allow: RegExp[]) {
  const problems: string[] = [];
  const note = (text: string) => {
    if (!allow.some((pattern) => pattern.test(text))) problems.push(text);
  };
  page.on("console", (message) => {
    if (message.type() === "error") note(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => note(`page error: ${error.message}`));
  page.on("dialog", (dialog) => {
    note(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await context.exposeBinding("varveBreach", (_, text: string) => note(`policy: ${text}`));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      const report = (window as unknown as { varveBreach: (text: string) => void }).varveBreach;
      report(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
    });
  });
  const origin = new URL(site).origin;
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.origin !== origin) {
      note(`request to another host: ${request.url()}`);
    }
  });
  return problems;
}

export async function open(path: string, options: OpenOptions = {}): Promise<Opened> {
  const site = options.site ?? siteUrl;
  const context = await (await browser()).newContext({
    ...looks[options.look ?? "light"],
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "UTC",
    ...options.context,
  });
  // Below the limit of a test, so that the message says what was waited for.
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const problems = await watch(context, page, site, options.allow ?? []);
  await options.before?.(page);
  await page.goto(site + path);
  return {
    page,
    problems,
    close: async () => {
      await context.close();
      if (problems.length > 0) throw new Error(`the page complained:\n${problems.join("\n")}`);
    },
  };
}

// A test with a page of its own, watched to its end.
export function pageTest(
  name: string,
  path: string,
  body: (page: Page) => Promise<void>,
  options: OpenOptions = {},
): void {
  test(name, async () => {
    const opened = await open(path, options);
    try {
      await body(opened.page);
    } catch (error) {
      const folder = process.env.VARVE_E2E_SCREENSHOTS;
      const file = `${folder}/failed-${name.replace(/[^\w]+/g, "-").slice(0, 80)}.png`;
      await opened.page.screenshot({ path: file }).catch(() => undefined);
      const seen = opened.problems.length > 0 ? `\n${opened.problems.join("\n")}` : "";
      await opened.close().catch(() => undefined);
      throw new Error(`${error instanceof Error ? error.message : String(error)}${seen}`, {
        cause: error,
      });
    }
    await opened.close();
  });
}

// Nothing loads any more, and what came has been drawn.
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(
    () =>
      new Promise((done) => {
        const calm = () => document.querySelector(".spinner") === null;
        if (!calm()) return done(false);
        requestAnimationFrame(() => requestAnimationFrame(() => done(calm())));
      }),
  );
}

interface Breach {
  rule: string;
  impact: string;
  help: string;
  where: string[];
}

// What axe-core finds against WCAG 2.2 A and AA, and its rules of good landmarks and headings, in the
// whole page or below one element.
export async function accessibilityBreaches(page: Page, within = "html"): Promise<string[]> {
  await page.evaluate(axe.source);
  const breaches = await page.evaluate(async (part): Promise<Breach[]> => {
    const { axe: checker } = window as unknown as { axe: typeof axe };
    const { violations } = await checker.run(part, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      resultTypes: ["violations"],
    });
    return violations.map((v) => ({
      rule: v.id,
      impact: v.impact ?? "",
      help: v.help,
      where: v.nodes.slice(0, 4).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`),
    }));
  }, within);
  return breaches.map((b) => `${b.rule} (${b.impact}): ${b.help}\n  ${b.where.join("\n  ")}`);
}

export async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({
    path: `${process.env.VARVE_E2E_SCREENSHOTS}/${name}.png`,
    animations: "disabled",
  });
}
