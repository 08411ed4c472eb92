// SPDX-License-Identifier: Apache-2.0
// Alerts: what fires, what is about to, for how long and why, and how it went before.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../lib/api";
import { useLoad } from "../lib/load";
import { href, place, setParameters } from "../lib/router";
import { zone } from "../lib/settings";
import { formatDuration, formatTime, type TimeRange } from "../lib/time";
import { formatValue } from "../lib/units";
import { CopyButton } from "../parts/copy";
import { Filter, matchesWords } from "../parts/filter";
import { LabelTags } from "../parts/labels";
import { ErrorNotice, Notice } from "../parts/notice";
import { TimePicker } from "../parts/time_picker";
import { AlertHistoryView } from "./alert_history";
import type { Alert, AlertingRule, RuleGroup, RulesAnswer } from "./rule_types";

export function exploreLink(expression: string, range?: TimeRange): string {
  const parameters = new URLSearchParams({ "g0.expr": expression, "g0.tab": "graph" });
  if (range) {
    parameters.set("from", range.from);
    parameters.set("to", range.to);
  }
  return href("explore", parameters);
}

const order = { firing: 0, pending: 1, inactive: 2 };
const refreshMs = 10_000;
const alertsAtOnce = 100; // of a rule

// A text with the addresses in it as links: runbooks and dashboards stand in annotations.
function Linked(props: { text: string }) {
  const parts: ComponentChildren[] = props.text.split(/(https?:\/\/[^\s"'<>]+)/).map((part, at) =>
    at % 2 === 1 ? (
      <a key={at} href={part} target="_blank" rel="noreferrer noopener">
        {part}
      </a>
    ) : (
      part
    ),
  );
  return <>{parts}</>;
}

function since(text: string | undefined): string {
  const ms = Date.parse(text ?? "");
  return ms > 0 ? formatDuration(Math.round((Date.now() - ms) / 1000) * 1000, 2) : "";
}

function AlertRow(props: { alert: Alert; rule: AlertingRule }) {
  const { alert, rule } = props;
  const startMs = Date.parse(alert.activeAt ?? "");
  const toGo = rule.duration - (Date.now() - startMs) / 1000;
  return (
    <li class="alert">
      <span class={`badge ${alert.state}`}>{alert.state}</span>
      <span title={`since ${formatTime(startMs, zone.value)}`}>
        for <b>{since(alert.activeAt)}</b>
        {alert.state === "pending" && toGo > 0 && (
          <span class="muted">, fires in {formatDuration(Math.ceil(toGo) * 1000, 2)}</span>
        )}
        {alert.keepFiringSince && (
          <span class="muted">, kept firing for {since(alert.keepFiringSince)}</span>
        )}
      </span>
      <span title={alert.value}>
        value <b>{formatValue(Number(alert.value))}</b>
      </span>
      <LabelTags labels={alert.labels} leaveOut={["alertname"]} />
      {Object.entries(alert.annotations).map(([name, text]) => (
        <p class="annotation" key={name}>
          <span class="muted">{name}</span> <Linked text={text} />
        </p>
      ))}
    </li>
  );
}

function RuleCard(props: { group: RuleGroup; rule: AlertingRule; range: TimeRange }) {
  const { group, rule, range } = props;
  const [shown, setShown] = useState(alertsAtOnce);
  const active = rule.state !== "inactive";
  const [open, setOpen] = useState(active);
  useEffect(() => {
    if (active) setOpen(true);
  }, [active]);
  return (
    <details
      class={`panel rule ${rule.state}`}
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <span class={`badge ${rule.state}`}>{rule.state}</span> <b>{rule.name}</b>{" "}
        {rule.health === "err" && <span class="badge err">cannot be evaluated</span>}{" "}
        <span class="muted">
          {group.name}
          {rule.alerts.length > 0 && ` · ${rule.alerts.length} active`}
        </span>
      </summary>
      {open && (
        <>
          <div class="expression-line">
            <pre class="expression">
              <a href={exploreLink(rule.query, range)} title="Open in Explore">
                {rule.query}
              </a>
            </pre>
            <CopyButton text={rule.query} title="Copy the expression" />
          </div>
          <p class="muted">
            {rule.duration > 0 && `for ${formatDuration(rule.duration * 1000)} `}
            {rule.keepFiringFor > 0 &&
              `keep firing for ${formatDuration(rule.keepFiringFor * 1000)} `}
            <LabelTags labels={rule.labels ?? {}} />
          </p>
          {rule.lastError && <Notice kind="error">{rule.lastError}</Notice>}
          <AlertHistoryView
            name={rule.name}
            ruleLabels={rule.labels ?? {}}
            range={range}
            refreshMs={range.to === "now" ? 3 * refreshMs : 0}
          />
          <ul class="alerts">
            {rule.alerts.slice(0, shown).map((alert) => (
              <AlertRow key={JSON.stringify(alert.labels)} alert={alert} rule={rule} />
            ))}
          </ul>
          {rule.alerts.length > shown && (
            <p class="muted">
              {shown} of {rule.alerts.length} alerts.{" "}
              <button type="button" class="link" onClick={() => setShown(shown + 500)}>
                Show more
              </button>
            </p>
          )}
        </>
      )}
    </details>
  );
}

type Shown = "all" | "active" | "firing";

export function AlertsPage() {
  const loaded = useLoad(
    (signal) => get<RulesAnswer>("api/v1/rules?type=alert", {}, signal),
    [],
    refreshMs,
  );
  const { parameters } = place.value;
  const search = parameters.get("search") ?? "";
  const wanted = parameters.get("show");
  const shown: Shown = wanted === "active" || wanted === "firing" ? wanted : "all";
  const range = { from: parameters.get("from") ?? "now-6h", to: parameters.get("to") ?? "now" };
  const change = (name: string, value: string, standard: string) => {
    const next = new URLSearchParams(parameters);
    if (value === standard) next.delete(name);
    else next.set(name, value);
    setParameters(next, name !== "search");
  };
  const rules = (loaded.data?.data.groups ?? []).flatMap((group) =>
    group.rules
      .filter((rule): rule is AlertingRule => rule.type === "alerting")
      .map((rule) => ({ group, rule })),
  );
  const count = (state: string) => rules.filter(({ rule }) => rule.state === state).length;
  const found = rules
    .filter(
      ({ group, rule }) =>
        (shown === "all" ||
          rule.state === "firing" ||
          (shown === "active" && rule.state === "pending")) &&
        (search === "" ||
          matchesWords(
            search,
            rule.name,
            group.name,
            rule.query,
            JSON.stringify(rule.alerts),
            JSON.stringify(rule.labels ?? {}),
          )),
    )
    .sort(
      (a, b) => order[a.rule.state] - order[b.rule.state] || (a.rule.name < b.rule.name ? -1 : 1),
    );
  const tabs: [Shown, string][] = [
    ["all", `all ${rules.length}`],
    ["active", `active ${count("firing") + count("pending")}`],
    ["firing", `firing ${count("firing")}`],
  ];
  return (
    <main>
      <div class="toolbar">
        <h1>Alerts</h1>
        <Filter
          value={search}
          onChange={(text) => change("search", text, "")}
          placeholder="Search alerts and labels"
        />
        <div class="tabs">
          {tabs.map(([name, text]) => (
            <button
              key={name}
              type="button"
              aria-pressed={shown === name}
              onClick={() => change("show", name, "all")}
            >
              {text}
            </button>
          ))}
        </div>
        <span class="grow" />
        <TimePicker
          range={range}
          onChange={(next) => {
            const all = new URLSearchParams(parameters);
            all.set("from", next.from);
            all.set("to", next.to);
            setParameters(all, true);
          }}
        />
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {loaded.data && rules.length === 0 && (
        <Notice kind="empty">
          No alerting rules are loaded. Name rule files under <code>rule_files</code> in the
          configuration and reload.
        </Notice>
      )}
      {loaded.data && rules.length > 0 && found.length === 0 && (
        <Notice kind="empty">
          {search ? "No alert fits this search." : "Nothing fires: all is quiet."}{" "}
          <button
            type="button"
            class="link"
            onClick={() => setParameters(new URLSearchParams(), true)}
          >
            Show all rules
          </button>
        </Notice>
      )}
      {found.map(({ group, rule }) => (
        <RuleCard
          key={`${group.file}/${group.name}/${rule.name}/${rule.query}/${JSON.stringify(rule.labels)}`}
          group={group}
          rule={rule}
          range={range}
        />
      ))}
    </main>
  );
}
