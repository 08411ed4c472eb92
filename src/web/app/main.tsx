// SPDX-License-Identifier: Apache-2.0
// The page's frame: navigation, and the page the URL names.
import "uplot/dist/uPlot.min.css";
import "./app.css";
import type { FunctionComponent } from "preact";
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { DashboardsPage } from "./dashboard/dashboards_page";
import { Explore } from "./explore/explore";
import { pageOptions } from "./lib/options";
import { followLinks, href, place } from "./lib/router";
import { type Theme, theme } from "./lib/settings";
import { AlertsPage } from "./pages/alerts";
import { CardinalityPage } from "./pages/cardinality";
import { DiscoveryPage } from "./pages/discovery";
import { RulesPage } from "./pages/rules";
import { StatusPage } from "./pages/status";
import { TargetsPage } from "./pages/targets";
import { Notice } from "./parts/notice";
import { Shortcuts } from "./parts/shortcuts";

interface Page {
  path: string;
  title: string;
  key: string; // after g
  show: FunctionComponent;
}

const pages: Page[] = [
  { path: "explore", title: "Explore", key: "e", show: Explore },
  { path: "dashboards", title: "Dashboards", key: "d", show: DashboardsPage },
  { path: "alerts", title: "Alerts", key: "a", show: AlertsPage },
  { path: "rules", title: "Rules", key: "r", show: RulesPage },
  { path: "targets", title: "Targets", key: "t", show: TargetsPage },
  { path: "service-discovery", title: "Discovery", key: "i", show: DiscoveryPage },
  { path: "cardinality", title: "Cardinality", key: "c", show: CardinalityPage },
  { path: "status", title: "Status", key: "s", show: StatusPage },
];
// Where Prometheus's own pages live, so that links to them lead somewhere.
const aliases: Record<string, string> = {
  "": "explore",
  graph: "explore",
  query: "explore",
  "tsdb-status": "cardinality",
  flags: "status",
  config: "status",
  "runtime-info": "status",
};

const themes: Theme[] = ["system", "light", "dark"];
const themeSigns: Record<Theme, string> = { system: "◐", light: "☀", dark: "☾" };

function turnTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? "system";
}

function App() {
  const path = place.value.path;
  const name = path.split("/")[0] ?? "";
  const page = pages.find((p) => p.path === (aliases[name] ?? name));
  useEffect(() => {
    document.title = page ? `${page.title} · ${pageOptions.title}` : pageOptions.title;
  }, [page]);
  // On a phone the list of pages is wider than the screen.
  useEffect(() => {
    const current = document.querySelector("nav [aria-current]");
    current?.scrollIntoView({ inline: "nearest", block: "nearest" });
  }, [page]);
  const Show = page?.show;
  return (
    <>
      <a class="skip" href="#content">
        Skip to content
      </a>
      <header>
        <a class="brand" href={href("explore")}>
          {pageOptions.title}
        </a>
        <nav aria-label="Pages">
          {pages.map((p) => (
            <a key={p.path} href={href(p.path)} aria-current={p === page ? "page" : undefined}>
              {p.title}
            </a>
          ))}
        </nav>
        <Shortcuts pages={pages} turnTheme={turnTheme} />
        <button
          type="button"
          class="icon"
          title={`Theme: ${theme.value}`}
          aria-label={`Theme: ${theme.value}; change it`}
          onClick={turnTheme}
        >
          {themeSigns[theme.value]}
        </button>
      </header>
      <div id="content" tabIndex={-1}>
        {Show ? (
          <Show />
        ) : (
          <main>
            <Notice kind="empty">
              There is no page “{path}”. <a href={href("explore")}>Go to Explore</a>.
            </Notice>
          </main>
        )}
      </div>
    </>
  );
}

const root = document.getElementById("app");
if (root) {
  root.textContent = "";
  followLinks(document.body);
  render(<App />, root);
}
