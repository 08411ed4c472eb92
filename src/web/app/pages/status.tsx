// SPDX-License-Identifier: Apache-2.0
// Status: what runs here, what it holds, with which flags and configuration.
import { useEffect, useState } from "preact/hooks";
import { get } from "../lib/api";
import { useLoad } from "../lib/load";
import { href, place } from "../lib/router";
import { zone } from "../lib/settings";
import { formatDuration, formatTime } from "../lib/time";
import { CodeBlock } from "../parts/code_block";
import { CopyButton } from "../parts/copy";
import { DataTable } from "../parts/data_table";
import { Filter, matchesWords } from "../parts/filter";
import { ErrorNotice, Notice } from "../parts/notice";
import { StorageStatus } from "./status_storage";

// Facts as people read them; what stands for nothing in this server is left out.
const names: Record<string, string> = {
  startTime: "Started",
  CWD: "Directory",
  hostname: "Host",
  serverTime: "Its clock",
  reloadConfigSuccess: "Last reload",
  lastConfigTime: "Configuration of",
  corruptionCount: "Log frames lost to damage",
  GOMAXPROCS: "Processors",
  storageRetention: "Retention",
  version: "Version",
  revision: "Revision",
  branch: "Branch",
  buildUser: "Built by",
  buildDate: "Built",
  goVersion: "Compiler",
};
const leftOut = new Set(["goroutineCount", "GOMEMLIMIT", "GOGC", "GODEBUG"]);

function factText(name: string, value: unknown): string {
  if (name === "reloadConfigSuccess") return value === true ? "succeeded" : "failed";
  const ms = /^\d{4}-\d{2}-\d{2}T/.test(String(value)) ? Date.parse(String(value)) : Number.NaN;
  if (Number.isNaN(ms)) return String(value);
  const text = formatTime(ms, zone.value).slice(0, 19);
  return name === "startTime" ? `${text} (${formatDuration(Date.now() - ms, 2)} ago)` : text;
}

function Facts(props: { title: string; path: string }) {
  const loaded = useLoad(
    (signal) => get<Record<string, unknown>>(props.path, {}, signal),
    [props.path],
    30_000,
  );
  const data = loaded.data?.data ?? {};
  return (
    <section class="panel">
      <h2>
        {props.title}{" "}
        <CopyButton text={JSON.stringify(data, null, 1)} title={`Copy as JSON: ${props.title}`} />
      </h2>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {data.reloadConfigSuccess === false && (
        <Notice kind="error">
          The configuration file has changed and could not be loaded; the old one is in force. The
          server's log and <code>varve check config</code> say why.
        </Notice>
      )}
      <dl class="pairs">
        {Object.entries(data)
          .filter(([name]) => !leftOut.has(name))
          .map(([name, value]) => (
            <div key={name}>
              <dt>{names[name] ?? name}</dt>
              <dd title={String(value)}>{factText(name, value)}</dd>
            </div>
          ))}
      </dl>
    </section>
  );
}

function Alertmanagers() {
  const loaded = useLoad(
    (signal) =>
      get<{ activeAlertmanagers: { url: string }[]; droppedAlertmanagers: { url: string }[] }>(
        "api/v1/alertmanagers",
        {},
        signal,
      ),
    [],
    60_000,
  );
  const active = loaded.data?.data.activeAlertmanagers ?? [];
  return (
    <section class="panel">
      <h2>Alertmanagers</h2>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {loaded.data && active.length === 0 && (
        <p class="muted">
          None: alerts are shown here and sent to nobody. Name them under{" "}
          <code>alerting: alertmanagers</code> in the configuration.
        </p>
      )}
      <ul class="plain-list">
        {active.map(({ url }) => (
          <li key={url}>
            <code>{url}</code> <CopyButton text={url} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Config() {
  const loaded = useLoad(
    (signal) => get<{ yaml: string }>("api/v1/status/config", {}, signal),
    [],
    60_000,
  );
  const yaml = loaded.data?.data.yaml ?? "";
  return (
    <section class="panel" id="config">
      <h2>
        Configuration <CopyButton text={yaml} title="Copy the configuration" />
      </h2>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      <CodeBlock text={yaml} label="Configuration as YAML" />
    </section>
  );
}

function Flags() {
  const loaded = useLoad(
    (signal) => get<Record<string, string>>("api/v1/status/flags", {}, signal),
    [],
    60_000,
  );
  const [search, setSearch] = useState("");
  const rows = Object.entries(loaded.data?.data ?? {}).filter(([name, value]) =>
    matchesWords(search, name, value),
  );
  return (
    <section class="panel" id="flags">
      <div class="panel-head">
        <h2>Flags</h2>
        <Filter value={search} onChange={setSearch} placeholder="Search flags" />
      </div>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {loaded.data && rows.length === 0 ? (
        <Notice kind="empty">No flag fits this search.</Notice>
      ) : (
        <DataTable
          caption="Command line flags"
          rows={rows}
          rowKey={([name]) => name}
          columns={[
            { title: "Flag", sort: ([name]) => name, show: ([name]) => <code>--{name}</code> },
            {
              title: "Value",
              sort: ([, value]) => value,
              show: ([, value]) =>
                value === "" ? <span class="muted">not set</span> : <code>{value}</code>,
            },
          ]}
        />
      )}
    </section>
  );
}

export function StatusPage() {
  // Prometheus has a page for each of these; here they are places of one.
  const part = place.value.path.split("/")[0] ?? "";
  useEffect(() => {
    if (part === "flags" || part === "config") document.getElementById(part)?.scrollIntoView();
  }, [part]);
  return (
    <main class="wide">
      <div class="toolbar">
        <h1>Status</h1>
        <span class="grow" />
        <a href={href("flags")}>Flags</a>
        <a href={href("config")}>Configuration</a>
        <a href="metrics">Own metrics</a>
      </div>
      <StorageStatus />
      <div class="two-columns">
        <Facts title="Runtime" path="api/v1/status/runtimeinfo" />
        <div>
          <Facts title="Build" path="api/v1/status/buildinfo" />
          <Alertmanagers />
        </div>
      </div>
      <div class="two-columns">
        <Flags />
        <Config />
      </div>
    </main>
  );
}
