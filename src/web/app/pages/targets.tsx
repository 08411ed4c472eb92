// SPDX-License-Identifier: Apache-2.0
// Scrape targets by pool: health, last scrape, last error.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { get, type LabelSet } from "../lib/api";
import { seriesName } from "../lib/labels";
import { useLoad } from "../lib/load";
import { place, setParameters } from "../lib/router";
import { zone } from "../lib/settings";
import { formatDuration, formatTime } from "../lib/time";
import { formatValue } from "../lib/units";
import { DataTable } from "../parts/data_table";
import { Filter, matchesWords } from "../parts/filter";
import { LabelTags } from "../parts/labels";
import { ErrorNotice, Notice } from "../parts/notice";
import { exploreLink } from "./alerts";
import { RelabelView } from "./relabel_view";

export interface Target {
  discoveredLabels: LabelSet;
  labels: LabelSet;
  scrapePool: string;
  scrapeUrl: string;
  globalUrl: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
  health: "up" | "down" | "unknown";
  scrapeInterval: string;
  scrapeTimeout: string;
}
export interface TargetsAnswer {
  activeTargets: Target[];
  droppedTargets: { discoveredLabels: LabelSet; scrapePool?: string }[];
  droppedTargetCounts: Record<string, number>;
}

export function byPool<T>(items: T[], pool: (item: T) => string): [string, T[]][] {
  const pools = new Map<string, T[]>();
  for (const item of items) {
    const list = pools.get(pool(item));
    if (list) list.push(item);
    else pools.set(pool(item), [item]);
  }
  return [...pools.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
}

function lastScrape(target: Target): string {
  const ms = Date.parse(target.lastScrape);
  if (!(ms > 0)) return "never";
  return `${formatDuration(Math.round((Date.now() - ms) / 1000) * 1000)} ago`;
}

// With more targets than this on the page, pools that are well are closed at first.
const openMax = 300;

function Pool(props: {
  name: string;
  targets: Target[];
  open: boolean;
  children: ComponentChildren;
}) {
  const { name, targets } = props;
  const up = targets.filter((t) => t.health === "up").length;
  const down = targets.filter((t) => t.health === "down").length;
  const [open, setOpen] = useState(props.open || down > 0);
  return (
    <details class="panel pool" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2>{name}</h2>{" "}
        <span class={`badge ${down > 0 ? "down" : up === targets.length ? "up" : ""}`}>
          {up} of {targets.length} up
        </span>
      </summary>
      {open && props.children}
    </details>
  );
}

export function TargetsPage() {
  const loaded = useLoad(
    (signal) => get<TargetsAnswer>("api/v1/targets?state=active", {}, signal),
    [],
    10_000,
  );
  const { parameters } = place.value;
  const search = parameters.get("search") ?? "";
  const health = parameters.get("health") ?? "all";
  const change = (name: string, value: string, standard: string) => {
    const next = new URLSearchParams(parameters);
    if (value === standard) next.delete(name);
    else next.set(name, value);
    setParameters(next, name !== "search");
  };
  const all = loaded.data?.data.activeTargets ?? [];
  const found = all.filter(
    (t) =>
      (health === "all" || t.health === health) &&
      (search === "" ||
        matchesWords(search, t.scrapeUrl, t.lastError, t.scrapePool, JSON.stringify(t.labels))),
  );
  const count = (h: string) => all.filter((t) => t.health === h).length;
  return (
    <main>
      <div class="toolbar">
        <h1>Targets</h1>
        <Filter
          value={search}
          onChange={(text) => change("search", text, "")}
          placeholder="Search address, label, error"
        />
        <div class="tabs">
          {(["all", "up", "down", "unknown"] as const).map((h) => (
            <button
              key={h}
              type="button"
              aria-pressed={health === h}
              onClick={() => change("health", h, "all")}
            >
              {h} {h === "all" ? all.length : count(h)}
            </button>
          ))}
        </div>
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {loaded.data && all.length === 0 && (
        <Notice kind="empty">
          Nothing is scraped. Add a job to <code>scrape_configs</code> in the configuration and
          reload, or send samples by remote write to <code>api/v1/write</code>.
        </Notice>
      )}
      {loaded.data && all.length > 0 && found.length === 0 && (
        <Notice kind="empty">
          No target fits.{" "}
          <button
            type="button"
            class="link"
            onClick={() => setParameters(new URLSearchParams(), true)}
          >
            Show all
          </button>
        </Notice>
      )}
      {byPool(found, (t) => t.scrapePool).map(([pool, targets]) => (
        <Pool key={pool} name={pool} targets={targets} open={found.length <= openMax}>
          <DataTable
            caption={`Targets of ${pool}`}
            rows={targets}
            rowKey={(t) => t.scrapeUrl + JSON.stringify(t.labels)}
            detail={{
              title: "Labels before and after relabelling",
              show: (t) => (
                <RelabelView pool={t.scrapePool} before={t.discoveredLabels} after={t.labels} />
              ),
            }}
            columns={[
              {
                title: "Address",
                share: 34,
                sort: (t) => t.scrapeUrl,
                show: (t) => (
                  <>
                    <a href={t.globalUrl} target="_blank" rel="noreferrer">
                      {t.scrapeUrl}
                    </a>
                    {t.lastError && <div class="bad">{t.lastError}</div>}
                  </>
                ),
              },
              {
                title: "Health",
                share: 8,
                sort: (t) => t.health,
                show: (t) => <span class={`badge ${t.health}`}>{t.health}</span>,
              },
              { title: "Labels", share: 28, show: (t) => <LabelTags labels={t.labels} /> },
              {
                title: "Last scrape",
                share: 9,
                sort: (t) => t.lastScrape,
                show: (t) => (
                  <span class="nowrap" title={formatTime(Date.parse(t.lastScrape), zone.value)}>
                    {lastScrape(t)}
                  </span>
                ),
              },
              {
                title: "Took",
                share: 8,
                number: true,
                sort: (t) => t.lastScrapeDuration,
                show: (t) => formatValue(t.lastScrapeDuration, "s"),
              },
              {
                title: "Actions",
                titleHidden: true,
                share: 6,
                show: (t) => (
                  <span class="actions">
                    <a
                      href={exploreLink(seriesName({ __name__: "up", ...t.labels }))}
                      title="Whether it was up, over time"
                    >
                      history
                    </a>
                  </span>
                ),
              },
              { title: "Every", sort: (t) => t.scrapeInterval, show: (t) => t.scrapeInterval },
            ]}
          />
        </Pool>
      ))}
    </main>
  );
}
