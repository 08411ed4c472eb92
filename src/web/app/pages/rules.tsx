// SPDX-License-Identifier: Apache-2.0
// Rule groups: what is evaluated, when last, how long it took, what failed.
import { useState } from "preact/hooks";
import { get } from "../lib/api";
import { useLoad } from "../lib/load";
import { formatDuration } from "../lib/time";
import { formatValue } from "../lib/units";
import { DataTable } from "../parts/data_table";
import { Filter, matchesWords } from "../parts/filter";
import { LabelTags } from "../parts/labels";
import { ErrorNotice, Notice } from "../parts/notice";
import { exploreLink } from "./alerts";
import type { Rule, RulesAnswer } from "./rule_types";

function ago(text: string): string {
  const ms = Date.parse(text);
  if (!(ms > 0)) return "never";
  return `${formatDuration(Math.round((Date.now() - ms) / 1000) * 1000)} ago`;
}

export function RulesPage() {
  const loaded = useLoad((signal) => get<RulesAnswer>("api/v1/rules", {}, signal), [], 15_000);
  const [search, setSearch] = useState("");
  const groups = (loaded.data?.data.groups ?? [])
    .map((group) => ({
      ...group,
      rules: group.rules.filter(
        (rule) =>
          search === "" || matchesWords(search, rule.name, rule.query, group.name, group.file),
      ),
    }))
    .filter((group) => group.rules.length > 0);
  return (
    <main>
      <div class="toolbar">
        <h1>Rules</h1>
        <Filter value={search} onChange={setSearch} placeholder="Search rules, groups, files" />
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {loaded.data && groups.length === 0 && (
        <Notice kind="empty">
          {search
            ? "No rule fits this search."
            : "No rules are loaded. Name rule files under rule_files in the configuration and reload."}
        </Notice>
      )}
      {groups.map((group) => (
        <section class="panel" key={`${group.file}/${group.name}`}>
          <h2>
            {group.name}{" "}
            <span class="muted">
              {group.file} · every {formatDuration(group.interval * 1000)} · last{" "}
              {ago(group.lastEvaluation)}, took {formatValue(group.evaluationTime, "s")}
            </span>
          </h2>
          <DataTable<Rule>
            caption={`Rules of ${group.name}`}
            rows={group.rules}
            rowKey={(rule, at) => `${at}/${rule.name}`}
            columns={[
              {
                title: "Rule",
                sort: (rule) => rule.name,
                show: (rule) => (
                  <>
                    <b>{rule.name}</b> <span class="muted">{rule.type}</span>
                    <pre class="expression">
                      <a href={exploreLink(rule.query)}>{rule.query}</a>
                    </pre>
                    {rule.lastError && <div class="bad">{rule.lastError}</div>}
                  </>
                ),
              },
              { title: "Labels", show: (rule) => <LabelTags labels={rule.labels ?? {}} /> },
              {
                title: "Health",
                sort: (rule) => rule.health,
                show: (rule) => <span class={`badge ${rule.health}`}>{rule.health}</span>,
              },
              {
                title: "Last",
                sort: (rule) => rule.lastEvaluation,
                show: (rule) => ago(rule.lastEvaluation),
              },
              {
                title: "Took",
                number: true,
                sort: (rule) => rule.evaluationTime,
                show: (rule) => formatValue(rule.evaluationTime, "s"),
              },
            ]}
          />
        </section>
      ))}
    </main>
  );
}
