// SPDX-License-Identifier: Apache-2.0
import { get } from "../../lib/api";
import { useLoad } from "../../lib/load";
import type { Alert } from "../../pages/rule_types";
import { LabelTags } from "../../parts/labels";
import { ErrorNotice } from "../../parts/notice";

export function AlertListPanel(props: { turn: number }) {
  const loaded = useLoad(
    (signal) => get<{ alerts: Alert[] }>("api/v1/alerts", {}, signal),
    [props.turn],
  );
  const alerts = loaded.data?.data.alerts ?? [];
  if (loaded.error) return <ErrorNotice error={loaded.error} />;
  if (loaded.data && alerts.length === 0) return <p class="muted">Nothing fires.</p>;
  return (
    <ul class="alerts">
      {alerts.slice(0, 100).map((alert) => (
        <li class="alert" key={JSON.stringify(alert.labels)}>
          <span class={`badge ${alert.state}`}>{alert.state}</span>
          <LabelTags labels={alert.labels} />
        </li>
      ))}
    </ul>
  );
}
