// SPDX-License-Identifier: Apache-2.0
// What discovery found, before and after relabelling; dropped targets too, with the rule that dropped
// them.
import { get, type LabelSet } from "../lib/api";
import { useLoad } from "../lib/load";
import { place, setParameters } from "../lib/router";
import { DataTable } from "../parts/data_table";
import { Filter, matchesWords } from "../parts/filter";
import { LabelTags } from "../parts/labels";
import { ErrorNotice, Notice } from "../parts/notice";
import { RelabelView } from "./relabel_view";
import { byPool, type TargetsAnswer } from "./targets";

interface Found {
  pool: string;
  before: LabelSet;
  after: LabelSet | undefined; // undefined: dropped
}
type Shown = "all" | "active" | "dropped";

export function DiscoveryPage() {
  const loaded = useLoad((signal) => get<TargetsAnswer>("api/v1/targets", {}, signal), [], 30_000);
  const { parameters } = place.value;
  const search = parameters.get("search") ?? "";
  const wanted = parameters.get("show");
  const shown: Shown = wanted === "active" || wanted === "dropped" ? wanted : "all";
  const change = (name: string, value: string, standard: string) => {
    const next = new URLSearchParams(parameters);
    if (value === standard) next.delete(name);
    else next.set(name, value);
    setParameters(next, name !== "search");
  };
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
  const found = all.filter(
    (f) =>
      (shown === "all" || (shown === "active") === (f.after !== undefined)) &&
      (search === "" || matchesWords(search, f.pool, JSON.stringify(f))),
  );
  return (
    <main class="wide">
      <div class="toolbar">
        <h1>Discovery</h1>
        <Filter
          value={search}
          onChange={(text) => change("search", text, "")}
          placeholder="Search pools and labels"
        />
        <div class="tabs">
          {(["all", "active", "dropped"] as const).map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={shown === name}
              onClick={() => change("show", name, "all")}
            >
              {name}
            </button>
          ))}
        </div>
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {answer && found.length === 0 && (
        <Notice kind="empty">
          {all.length === 0
            ? "No scrape job has found a target. Is there one in the configuration, and does its discovery reach its source? The server's log says."
            : "Nothing fits this search."}
        </Notice>
      )}
      {byPool(found, (f) => f.pool).map(([pool, items]) => {
        const dropped = answer?.droppedTargetCounts[pool] ?? 0;
        const listed = items.filter((f) => !f.after).length;
        return (
          <section class="panel" key={pool}>
            <h2>
              {pool}{" "}
              <span class="muted">
                {items.filter((f) => f.after).length} active, {dropped} dropped
                {shown !== "active" && search === "" && listed < dropped && ` (${listed} are kept)`}
              </span>
            </h2>
            <DataTable
              caption={`Targets found for ${pool}`}
              rows={items}
              rowKey={(f) => JSON.stringify(f.before)}
              detail={{
                title: "Relabelling step by step",
                show: (f) => <RelabelView pool={f.pool} before={f.before} after={f.after} />,
              }}
              columns={[
                {
                  title: "Discovered labels",
                  share: 62,
                  show: (f) => <LabelTags labels={f.before} />,
                },
                {
                  title: "Target labels",
                  sort: (f) => (f.after ? JSON.stringify(f.after) : ""),
                  show: (f) =>
                    f.after ? (
                      <LabelTags labels={f.after} />
                    ) : (
                      <span class="badge down">dropped</span>
                    ),
                },
              ]}
            />
          </section>
        );
      })}
    </main>
  );
}
