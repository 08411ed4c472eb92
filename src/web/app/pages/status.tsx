// SPDX-License-Identifier: Apache-2.0
// Status: what runs here, with which flags and configuration.
import { useState } from "preact/hooks";
import { get } from "../lib/api";
import { useLoad } from "../lib/load";
import { CopyButton } from "../parts/copy";
import { DataTable } from "../parts/data_table";
import { Filter, matchesWords } from "../parts/filter";
import { ErrorNotice } from "../parts/notice";

function Facts(props: { title: string; path: string }) {
  const loaded = useLoad(
    (signal) => get<Record<string, unknown>>(props.path, {}, signal),
    [props.path],
    30_000,
  );
  return (
    <section class="panel">
      <h2>{props.title}</h2>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      <dl class="pairs">
        {Object.entries(loaded.data?.data ?? {}).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{String(value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Config() {
  const loaded = useLoad((signal) => get<{ yaml: string }>("api/v1/status/config", {}, signal), []);
  const yaml = loaded.data?.data.yaml ?? "";
  return (
    <section class="panel" id="config">
      <h2>
        Configuration <CopyButton text={yaml} title="Copy the configuration" />
      </h2>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      <pre class="yaml">{yaml}</pre>
    </section>
  );
}

function Flags() {
  const loaded = useLoad(
    (signal) => get<Record<string, string>>("api/v1/status/flags", {}, signal),
    [],
  );
  const [search, setSearch] = useState("");
  const rows = Object.entries(loaded.data?.data ?? {}).filter(([name, value]) =>
    matchesWords(search, name, value),
  );
  return (
    <section class="panel">
      <h2>Flags</h2>
      <Filter value={search} onChange={setSearch} placeholder="Search flags" />
      {loaded.error && <ErrorNotice error={loaded.error} />}
      <DataTable
        caption="Command line flags"
        rows={rows}
        rowKey={([name]) => name}
        columns={[
          { title: "Flag", sort: ([name]) => name, show: ([name]) => <code>--{name}</code> },
          { title: "Value", sort: ([, value]) => value, show: ([, value]) => <code>{value}</code> },
        ]}
      />
    </section>
  );
}

export function StatusPage() {
  return (
    <main class="wide">
      <div class="toolbar">
        <h1>Status</h1>
        <a href="metrics">metrics</a>
      </div>
      <div class="two-columns">
        <Facts title="Runtime" path="api/v1/status/runtimeinfo" />
        <Facts title="Build" path="api/v1/status/buildinfo" />
      </div>
      <Flags />
      <Config />
    </main>
  );
}
