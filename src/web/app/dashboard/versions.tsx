// SPDX-License-Identifier: Apache-2.0
// The versions the server has kept of a dashboard: what each changed, and a way back to it.
import { useLoad } from "../lib/load";
import { ErrorNotice } from "../parts/notice";
import { changes } from "./exchange";
import type { Dashboard } from "./model";
import { listVersions, loadDashboard } from "./store";

const shownMax = 20;

export function Versions(props: { dashboard: Dashboard; onDone: (older?: Dashboard) => void }) {
  const { dashboard } = props;
  const loaded = useLoad(
    async (signal) => {
      const numbers = (await listVersions(dashboard.id, signal)).slice(-shownMax - 1);
      const all = await Promise.all(
        numbers.map((version) =>
          loadDashboard(dashboard.id, signal, version).catch(() => undefined),
        ),
      );
      return all.flatMap((d) => d ?? []);
    },
    [dashboard.id, dashboard.version],
  );
  const all = loaded.data ?? [];
  return (
    <section class="panel" aria-label="Versions">
      <div class="toolbar">
        <h2>Versions</h2>
        <span class="grow" />
        <button type="button" onClick={() => props.onDone()}>
          Close
        </button>
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} retry={loaded.reload} />}
      <ul class="dash-list">
        {all
          .map((version, at) => ({ version, before: all[at - 1] }))
          .slice(-shownMax)
          .reverse()
          .map(({ version, before }) => (
            <li key={version.version}>
              <b>{version.version}</b>
              <span class="grow">{before ? changes(before, version) : "the first"}</span>
              {version.version === dashboard.version ? (
                <span class="muted">this one</span>
              ) : (
                <button
                  type="button"
                  title="Shows it; saving makes it the newest"
                  onClick={() => props.onDone({ ...version, version: dashboard.version })}
                >
                  Take this
                </button>
              )}
            </li>
          ))}
      </ul>
    </section>
  );
}
