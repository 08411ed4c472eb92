// SPDX-License-Identifier: Apache-2.0
// Dashboards as JSON: files in and out, the text to edit, what differs between two.
import { useState } from "preact/hooks";
import { ApiError } from "../lib/api";
import { useLeaveGuard } from "../lib/leave_guard";
import { saveAs } from "../lib/save_as";
import { ErrorNotice } from "../parts/notice";
import { importGrafana, isGrafana } from "./grafana";
import { type Dashboard, readDashboard } from "./model";

export const asError = (cause: unknown) =>
  cause instanceof ApiError
    ? cause
    : new ApiError("refused", cause instanceof Error ? cause.message : String(cause));

export function download(dashboard: Dashboard): void {
  const name = `${dashboard.title.replace(/[^\w-]+/g, "-")}.json`;
  saveAs(name, "application/json", JSON.stringify(dashboard, null, 2));
}

// Reads our own JSON and Grafana's.
export function readAny(text: string): { dashboard: Dashboard; notes: string[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (isGrafana(json)) return importGrafana(json);
  return { dashboard: readDashboard(json), notes: [] };
}

export function JsonEditor(props: {
  dashboard: Dashboard;
  onDone: (dashboard?: Dashboard) => void;
}) {
  const [begun] = useState(() => JSON.stringify(props.dashboard, null, 2));
  const [text, setText] = useState(begun);
  useLeaveGuard(text !== begun);
  const [error, setError] = useState<ApiError>();
  const apply = () => {
    try {
      const read = readAny(text).dashboard;
      props.onDone({ ...read, id: props.dashboard.id, version: props.dashboard.version });
    } catch (cause) {
      setError(asError(cause));
    }
  };
  return (
    <section class="panel form">
      <textarea
        rows={30}
        aria-label="JSON of the dashboard"
        value={text}
        onInput={(e) => setText(e.currentTarget.value)}
      />
      {error && <ErrorNotice error={error} />}
      <div class="toolbar">
        <button type="button" class="primary" onClick={apply}>
          Apply
        </button>
        <button type="button" onClick={() => props.onDone()}>
          Cancel
        </button>
      </div>
    </section>
  );
}

// What differs between two versions, in a few words.
export function changes(from: Dashboard, to: Dashboard): string {
  const text = (value: unknown) => JSON.stringify(value);
  const old = new Map(from.panels.map((p) => [p.id, text(p)]));
  const now = new Map(to.panels.map((p) => [p.id, text(p)]));
  const count = (n: number, what: string) => (n > 0 ? [`${n} ${what}`] : []);
  const named = {
    variables: "the variables",
    annotations: "the annotations",
    notes: "notes",
    links: "the links",
    tags: "the tags",
    range: "the range",
    description: "the description",
    live: "the refresh",
    refreshS: "the refresh",
  };
  const differing = new Set<string>();
  for (const [key, name] of Object.entries(named) as [keyof typeof named, string][]) {
    if (text(from[key]) !== text(to[key])) differing.add(name);
  }
  const parts = [
    ...(from.title === to.title ? [] : ["the title"]),
    ...count([...now.keys()].filter((id) => !old.has(id)).length, "panels added"),
    ...count([...old.keys()].filter((id) => !now.has(id)).length, "panels removed"),
    ...count(
      [...now].filter(([id, t]) => old.has(id) && old.get(id) !== t).length,
      "panels changed",
    ),
    ...differing,
  ];
  return parts.length > 0 ? parts.join(", ") : "nothing that is seen";
}
