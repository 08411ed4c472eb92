// SPDX-License-Identifier: Apache-2.0
// The list of dashboards: new ones, imports; and one of them where the URL names it.
import { useState } from "preact/hooks";
import type { ApiError } from "../lib/api";
import { useLoad } from "../lib/load";
import { go, href, place } from "../lib/router";
import { Filter, matchesWords } from "../parts/filter";
import { ErrorNotice, Notice } from "../parts/notice";
import { asError, readAny } from "./exchange";
import { type Dashboard, emptyDashboard } from "./model";
import { OneDashboard } from "./one_dashboard";
import { createDashboard, listDashboards } from "./store";

async function readFile(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = ".json,application/json";
    input.onchange = () => resolve(input.files?.[0]?.text());
    input.oncancel = () => resolve(undefined);
    input.click();
  });
}

function DashboardList() {
  const loaded = useLoad((signal) => listDashboards(signal), []);
  const [search, setSearch] = useState("");
  const [error, setError] = useState<ApiError>();
  const add = async (dashboard: Dashboard) => {
    try {
      const made = await createDashboard(dashboard);
      go(
        `dashboards/${made.id}`,
        new URLSearchParams(made.notTranslated.length > 0 ? { imported: "1" } : {}),
      );
    } catch (cause) {
      setError(asError(cause));
    }
  };
  const importFile = async () => {
    const text = await readFile();
    if (text === undefined) return;
    try {
      const { dashboard, notes: list } = readAny(text);
      await add({ ...dashboard, id: "", version: 0, notTranslated: list });
    } catch (cause) {
      setError(asError(cause));
    }
  };
  const found = (loaded.data?.data ?? []).filter((d) =>
    matchesWords(search, d.title, d.tags.join(" ")),
  );
  return (
    <main>
      <div class="toolbar">
        <h1>Dashboards</h1>
        <Filter value={search} onChange={setSearch} placeholder="Search titles and tags" />
        <span class="grow" />
        <button type="button" onClick={() => void importFile()}>
          Import JSON
        </button>
        <button type="button" class="primary" onClick={() => void add(emptyDashboard())}>
          New
        </button>
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {error && <ErrorNotice error={error} />}
      {loaded.data && found.length === 0 && (
        <Notice kind="empty">
          {search
            ? "No dashboard fits this search."
            : "No dashboards yet. Make a new one, or import a file: Grafana's JSON works too."}
        </Notice>
      )}
      <ul class="dash-list panel">
        {found.map((d) => (
          <li key={d.id}>
            <a href={href(`dashboards/${d.id}`)}>{d.title}</a>
            {d.tags.map((tag) => (
              <button
                type="button"
                class="tag"
                key={tag}
                title={`Search for ${tag}`}
                onClick={() => setSearch(tag)}
              >
                {tag}
              </button>
            ))}
            <span class="grow" />
            <span class="muted">{d.provisioned ? "shipped" : `version ${d.version}`}</span>
          </li>
        ))}
      </ul>
    </main>
  );
}

export function DashboardsPage() {
  const id = place.value.path.split("/")[1];
  return id ? <OneDashboard key={id} id={decodeURIComponent(id)} /> : <DashboardList />;
}
