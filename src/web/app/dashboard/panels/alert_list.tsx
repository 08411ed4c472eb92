// SPDX-License-Identifier: Apache-2.0
// The alerts that fire or are about to, the newest first; options.filter leaves some out.
import { get } from "../../lib/api";
import { useLoad } from "../../lib/load";
import { zone } from "../../lib/settings";
import { formatDuration, formatTime } from "../../lib/time";
import type { Alert } from "../../pages/rule_types";
import { LabelTags } from "../../parts/labels";
import { ErrorNotice } from "../../parts/notice";
import { matchesLabels, readFilters } from "../filters";
import type { Panel } from "../model";
import type { View } from "../panel_data";
import { interpolate } from "../variables";

const shownMax = 100;

function since(alert: Alert): number {
  const ms = Date.parse(alert.activeAt ?? "");
  return Number.isNaN(ms) ? 0 : ms;
}

export function AlertListPanel(props: { panel: Panel; view: View }) {
  const { panel, view } = props;
  const loaded = useLoad(
    (signal) => get<{ alerts: Alert[] }>("api/v1/alerts", {}, signal),
    [view.turn, view.poll],
  );
  const filters = readFilters(
    interpolate(
      String(panel.options.filter ?? ""),
      view.states,
      { ...view.range, stepS: 15, scrapeIntervalS: 15 },
      true,
    ),
  );
  const alerts = (loaded.data?.data.alerts ?? [])
    .filter((alert) => matchesLabels(filters, alert.labels))
    .sort(
      (a, b) => Number(a.state !== "firing") - Number(b.state !== "firing") || since(b) - since(a),
    );
  if (loaded.error && !loaded.data) return <ErrorNotice error={loaded.error} />;
  if (!loaded.data) return null;
  if (alerts.length === 0) return <p class="no-data good">✓ Nothing fires.</p>;
  return (
    <ul class="alert-list">
      {alerts.slice(0, shownMax).map((alert) => {
        const { alertname, ...labels } = alert.labels;
        const from = since(alert);
        return (
          <li key={JSON.stringify(alert.labels)}>
            <div class="option-line">
              <span class={`badge ${alert.state}`}>{alert.state}</span>
              <b class="grow">{alertname}</b>
              {from > 0 && (
                <span class="muted" title={`since ${formatTime(from, zone.value)}`}>
                  for {formatDuration(Math.max(Date.now() - from, 1000), 2).replace(/\d+ms$/, "")}
                </span>
              )}
            </div>
            {alert.annotations.summary && <div>{alert.annotations.summary}</div>}
            <LabelTags labels={labels} />
          </li>
        );
      })}
      {alerts.length > shownMax && (
        <li class="muted">{alerts.length - shownMax} more are not shown.</li>
      )}
    </ul>
  );
}
