// SPDX-License-Identifier: Apache-2.0
// What discovery found, before and after relabelling; dropped targets too.
import { useState } from "preact/hooks";
import { get, type LabelSet } from "../lib/api";
import { useLoad } from "../lib/load";
import { Filter, matchesWords } from "../parts/filter";
import { LabelTags } from "../parts/labels";
import { ErrorNotice, Notice } from "../parts/notice";
import { byPool, type TargetsAnswer } from "./targets";

interface Found {
  pool: string;
  before: LabelSet;
  after: LabelSet | undefined; // undefined: dropped
}
const shownMax = 200;

export function DiscoveryPage() {
  const loaded = useLoad((signal) => get<TargetsAnswer>("api/v1/targets", {}, signal), [], 30_000);
  const [search, setSearch] = useState("");
  const answer = loaded.data?.data;
  const all: Found[] = [
    ...(answer?.activeTargets ?? []).map((t) => ({
      pool: t.scrapePool,
      before: t.discoveredLabels,
      after: t.labels,
    })),
    ...(answer?.droppedTargets ?? []).map((t) => ({
      pool: t.scrapePool ?? t.discoveredLabels.job ?? "",
      before: t.discoveredLabels,
      after: undefined,
    })),
  ];
  const found = all.filter((f) => search === "" || matchesWords(search, f.pool, JSON.stringify(f)));
  return (
    <main>
      <div class="toolbar">
        <h1>Discovery</h1>
        <Filter value={search} onChange={setSearch} placeholder="Search pools and labels" />
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {answer && found.length === 0 && (
        <Notice kind="empty">
          {all.length === 0 ? "No scrape job has found a target." : "Nothing fits this search."}
        </Notice>
      )}
      {byPool(found, (f) => f.pool).map(([pool, items]) => {
        const dropped = answer?.droppedTargetCounts[pool] ?? 0;
        return (
          <section class="panel" key={pool}>
            <h2>
              {pool}{" "}
              <span class="muted">
                {items.filter((f) => f.after).length} active, {dropped} dropped
              </span>
            </h2>
            <div class="table-scroll">
              <table>
                <thead>
                  <tr>
                    <th>Discovered labels</th>
                    <th>Target labels</th>
                  </tr>
                </thead>
                <tbody>
                  {items.slice(0, shownMax).map((f) => (
                    <tr key={JSON.stringify(f.before)}>
                      <td>
                        <LabelTags labels={f.before} />
                      </td>
                      <td>
                        {f.after ? (
                          <LabelTags labels={f.after} />
                        ) : (
                          <span class="badge down">dropped</span>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            {items.length > shownMax && (
              <p class="muted">{items.length - shownMax} more; narrow them by a search.</p>
            )}
          </section>
        );
      })}
    </main>
  );
}
