// SPDX-License-Identifier: Apache-2.0
// Rule groups: what is evaluated, when last, how long it took, what failed.
import { get } from "../lib/api";
import { useLoad } from "../lib/load";
import { href, place, setParameters } from "../lib/router";
import { zone } from "../lib/settings";
import { formatDuration, formatTime } from "../lib/time";
import { formatValue } from "../lib/units";
import { CopyButton } from "../parts/copy";
import { DataTable, type TableColumn } from "../parts/data_table";
import { Filter, matchesWords } from "../parts/filter";
import { LabelTags } from "../parts/labels";
import { ErrorNotice, Notice } from "../parts/notice";
import { exploreLink } from "./alerts";
import type { Rule, RuleGroup, RulesAnswer } from "./rule_types";

function ago(text: string): string {
  const ms = Date.parse(text);
  if (!(ms > 0)) return "never";
  return `${formatDuration(Math.round((Date.now() - ms) / 1000) * 1000, 2)} ago`;
}

function Ago(props: { time: string }) {
  return (
    <span class="nowrap" title={formatTime(Date.parse(props.time), zone.value)}>
      {ago(props.time)}
    </span>
  );
}

type Shown = "all" | "failing" | "recording" | "alerting";

function shows(shown: Shown, rule: Rule): boolean {
  if (shown === "failing") return rule.health === "err";
  return shown === "all" || rule.type === shown;
}

// A group whose evaluation takes most of its interval is about to miss turns.
const slowShare = 0.8;

function GroupPanel(props: { group: RuleGroup }) {
  const { group } = props;
  const share = group.interval > 0 ? group.evaluationTime / group.interval : 0;
  const columns: TableColumn<Rule>[] = [
    {
      title: "Rule",
      share: 55,
      sort: (rule) => rule.name,
      show: (rule) => (
        <div class="rule-cell">
          {rule.type === "recording" ? (
            <a href={exploreLink(rule.name)} title="What it has recorded">
              <b>{rule.name}</b>
            </a>
          ) : (
            <a
              href={href("alerts", new URLSearchParams({ search: rule.name }))}
              title="Its alerts and their history"
            >
              <b>{rule.name}</b>
            </a>
          )}{" "}
          <span class="muted">{rule.type}</span>
          <div class="expression-line">
            <pre class="expression">
              <a href={exploreLink(rule.query)} title="Open in Explore">
                {rule.query}
              </a>
            </pre>
            <CopyButton text={rule.query} title="Copy the expression" />
          </div>
          {rule.lastError && <div class="bad">{rule.lastError}</div>}
        </div>
      ),
    },
    { title: "Labels", show: (rule) => <LabelTags labels={rule.labels ?? {}} /> },
    {
      title: "State",
      share: 8,
      sort: (rule) => (rule.type === "alerting" ? rule.state : ""),
      show: (rule) =>
        rule.type === "alerting" && <span class={`badge ${rule.state}`}>{rule.state}</span>,
    },
    {
      title: "Health",
      share: 7,
      sort: (rule) => rule.health,
      show: (rule) => <span class={`badge ${rule.health}`}>{rule.health}</span>,
    },
    {
      title: "Last",
      share: 8,
      sort: (rule) => rule.lastEvaluation,
      show: (rule) => <Ago time={rule.lastEvaluation} />,
    },
    {
      title: "Took",
      share: 8,
      number: true,
      sort: (rule) => rule.evaluationTime,
      show: (rule) => formatValue(rule.evaluationTime, "s"),
    },
  ];
  return (
    <section class="panel">
      <h2>
        {group.name}{" "}
        <span class="muted">
          {group.file} · every {formatDuration(group.interval * 1000)} · last{" "}
          <Ago time={group.lastEvaluation} />, took {formatValue(group.evaluationTime, "s")}
        </span>{" "}
        {share >= slowShare && (
          <span
            class="badge pending"
            title="Split the group, lengthen its interval, or record what several rules need"
          >
            takes {formatValue(100 * share, "percent", 0)} of its interval
          </span>
        )}
      </h2>
      <DataTable<Rule>
        caption={`Rules of ${group.name}`}
        rows={group.rules}
        rowKey={(rule, at) => `${at}/${rule.name}`}
        columns={columns}
      />
    </section>
  );
}

export function RulesPage() {
  const loaded = useLoad(
    (signal) => get<RulesAnswer>("api/v1/rules", { exclude_alerts: "true" }, signal),
    [],
    15_000,
  );
  const { parameters } = place.value;
  const search = parameters.get("search") ?? "";
  const wanted = parameters.get("show") as Shown | null;
  const shown: Shown =
    wanted && ["failing", "recording", "alerting"].includes(wanted) ? wanted : "all";
  const change = (name: string, value: string, standard: string) => {
    const next = new URLSearchParams(parameters);
    if (value === standard) next.delete(name);
    else next.set(name, value);
    setParameters(next, name !== "search");
  };
  const all = loaded.data?.data.groups ?? [];
  const groups = all
    .map((group) => ({
      ...group,
      rules: group.rules.filter(
        (rule) =>
          shows(shown, rule) &&
          (search === "" || matchesWords(search, rule.name, rule.query, group.name, group.file)),
      ),
    }))
    .filter((group) => group.rules.length > 0);
  const count = (kind: Shown) =>
    all.reduce((sum, group) => sum + group.rules.filter((rule) => shows(kind, rule)).length, 0);
  return (
    <main>
      <div class="toolbar">
        <h1>Rules</h1>
        <Filter
          value={search}
          onChange={(text) => change("search", text, "")}
          placeholder="Search rules, groups, files"
        />
        <div class="tabs">
          {(["all", "failing", "alerting", "recording"] as const).map((kind) => (
            <button
              key={kind}
              type="button"
              aria-pressed={shown === kind}
              onClick={() => change("show", kind, "all")}
            >
              {kind} {count(kind)}
            </button>
          ))}
        </div>
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {loaded.data && groups.length === 0 && (
        <Notice kind="empty">
          {all.length > 0
            ? shown === "failing" && search === ""
              ? "No rule fails."
              : "No rule fits."
            : "No rules are loaded. Name rule files under rule_files in the configuration and reload."}
        </Notice>
      )}
      {groups.map((group) => (
        <GroupPanel key={`${group.file}/${group.name}`} group={group} />
      ))}
    </main>
  );
}
