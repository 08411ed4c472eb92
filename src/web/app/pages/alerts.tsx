// SPDX-License-Identifier: Apache-2.0
// Alerts: what fires, what is about to, for how long and why.
import { useState } from "preact/hooks";
import { get } from "../lib/api";
import { useLoad } from "../lib/load";
import { href } from "../lib/router";
import { zone } from "../lib/settings";
import { formatDuration, formatTime } from "../lib/time";
import { Filter, matchesWords } from "../parts/filter";
import { LabelTags } from "../parts/labels";
import { ErrorNotice, Notice } from "../parts/notice";
import type { Alert, AlertingRule, RulesAnswer } from "./rule_types";

export function exploreLink(expression: string): string {
  return href("explore", new URLSearchParams({ "g0.expr": expression, "g0.tab": "graph" }));
}

const order = { firing: 0, pending: 1, inactive: 2 };

function AlertRow(props: { alert: Alert }) {
  const { alert } = props;
  const since = Date.parse(alert.activeAt ?? "");
  return (
    <li class="alert">
      <span class={`badge ${alert.state}`}>{alert.state}</span>
      <LabelTags labels={alert.labels} leaveOut={["alertname"]} />
      <span class="muted" title={formatTime(since, zone.value)}>
        {since > 0 && `for ${formatDuration(Math.round((Date.now() - since) / 1000) * 1000)}`}
        {alert.keepFiringSince && " · kept firing"}
      </span>
      <span>
        value <b>{alert.value}</b>
      </span>
      {Object.entries(alert.annotations).map(([name, text]) => (
        <p class="annotation" key={name}>
          <span class="muted">{name}</span> {text}
        </p>
      ))}
    </li>
  );
}

export function AlertsPage() {
  const loaded = useLoad(
    (signal) => get<RulesAnswer>("api/v1/rules?type=alert", {}, signal),
    [],
    10_000,
  );
  const [search, setSearch] = useState("");
  const [hideQuiet, setHideQuiet] = useState(false);
  const rules = (loaded.data?.data.groups ?? []).flatMap((group) =>
    group.rules
      .filter((rule): rule is AlertingRule => rule.type === "alerting")
      .map((rule) => ({ group, rule })),
  );
  const count = (state: string) => rules.filter(({ rule }) => rule.state === state).length;
  const found = rules
    .filter(
      ({ group, rule }) =>
        (!hideQuiet || rule.state !== "inactive") &&
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
  return (
    <main>
      <div class="toolbar">
        <h1>Alerts</h1>
        <Filter value={search} onChange={setSearch} placeholder="Search alerts and labels" />
        <span class="badge firing">{count("firing")} firing</span>
        <span class="badge pending">{count("pending")} pending</span>
        <span class="badge inactive">{count("inactive")} inactive</span>
        <label class="check">
          <input
            type="checkbox"
            checked={hideQuiet}
            onChange={(e) => setHideQuiet(e.currentTarget.checked)}
          />
          only active
        </label>
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {loaded.data && rules.length === 0 && (
        <Notice kind="empty">
          No alerting rules are loaded. Name rule files under <code>rule_files</code> in the
          configuration and reload.
        </Notice>
      )}
      {found.map(({ group, rule }) => (
        <details
          class={`panel rule ${rule.state}`}
          key={`${group.file}/${group.name}/${rule.name}/${rule.query}/${JSON.stringify(rule.labels)}`}
          open={rule.state !== "inactive"}
        >
          <summary>
            <span class={`badge ${rule.state}`}>{rule.state}</span> <b>{rule.name}</b>{" "}
            <span class="muted">
              {group.name} · {rule.alerts.length} active
            </span>
          </summary>
          <pre class="expression">
            <a href={exploreLink(rule.query)} title="Open in Explore">
              {rule.query}
            </a>
          </pre>
          <p class="muted">
            {rule.duration > 0 && `for ${formatDuration(rule.duration * 1000)} `}
            {rule.keepFiringFor > 0 &&
              `keep firing for ${formatDuration(rule.keepFiringFor * 1000)} `}
            <LabelTags labels={rule.labels ?? {}} />
          </p>
          {rule.lastError && <Notice kind="error">{rule.lastError}</Notice>}
          <ul class="alerts">
            {rule.alerts.map((alert) => (
              <AlertRow key={JSON.stringify(alert.labels)} alert={alert} />
            ))}
          </ul>
        </details>
      ))}
    </main>
  );
}
