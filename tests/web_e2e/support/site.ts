// SPDX-License-Identifier: Apache-2.0
// The server that most tests look at: it scrapes, evaluates rules and has an hour of history.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { testData } from "./data";
import { startExporter } from "./exporter";
import { remoteWrite } from "./remote_write";
import { until, Varve } from "./varve";

// Nobody listens there, and no test gets it given.
const deadPort = 1;

const rules = `
groups:
  - name: shop
    interval: 1s
    rules:
      - record: job:shop_orders:sum
        expr: sum by (job) (shop_orders_total)
      - alert: TargetDown
        expr: up == 0
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.instance }} of {{ $labels.job }} is not reached"
          runbook: "https://runbooks.example/TargetDown"
      - alert: OrdersPending
        expr: shop_queue_length > 0
        for: 6h
        labels: {severity: info}
        annotations: {summary: "{{ $value }} orders wait"}
      - alert: HostileLabel
        expr: shop_orders_total{kind=~"<script>.*"} > 0
        labels: {severity: info}
        annotations: {summary: "kind is {{ $labels.kind }}"}
      - alert: NeverFires
        expr: shop_queue_length > 1000
  - name: broken
    interval: 1s
    rules:
      - record: pairs:broken
        expr: shop_orders_total * on () shop_orders_total
`;

export interface Site {
  varve: Varve;
  endMs: number; // of the history
  stop: () => Promise<void>;
}

function shippedDashboards(): Record<string, string> {
  const folder = fileURLToPath(new URL("../../../configs/dashboards/", import.meta.url));
  return Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => [`dashboards/${name}`, readFileSync(join(folder, name), "utf8")]),
  );
}

export async function startSite(): Promise<Site> {
  const { exporter, port: exporterPort } = await startExporter();
  const closeExporter = () =>
    new Promise((done) => {
      exporter.close(done);
      exporter.closeAllConnections();
    });
  let varve: Varve | undefined;
  try {
    varve = await Varve.start({
      files: { "rules.yml": rules, ...shippedDashboards() },
      config: (port) => `
global: {scrape_interval: 1s, evaluation_interval: 1s}
storage: {tsdb: {out_of_order_time_window: 3h}} # history comes after the first scrapes
rule_files: [rules.yml]
scrape_configs:
  - job_name: varve
    static_configs: [{targets: ["127.0.0.1:${port}"]}]
  - job_name: shop
    static_configs:
      - targets: ["127.0.0.1:${exporterPort}"]
        labels: {team: orders, internal_note: "<b>not bold</b>"}
      - targets: ["127.0.0.1:${deadPort}"]
        labels: {team: orders, drop_me: "yes"}
    relabel_configs:
      - {source_labels: [drop_me], regex: "yes", action: drop}
      - {regex: internal_(.*), action: labelmap}
      - {regex: internal_.*, action: labeldrop}
  - job_name: dead
    static_configs: [{targets: ["127.0.0.1:${deadPort}"]}]
`,
    });
    const endMs = Math.floor(Date.now() / 60_000) * 60_000;
    await remoteWrite(varve.url, testData(endMs));
    const ready = varve;
    // Two scrapes of each and an evaluation: rates have a value, alerts a state.
    await until("scrapes and alerts", async () => {
      const { result } = await ready.json<{ result: unknown[] }>(
        "api/v1/query?query=" +
          encodeURIComponent(
            'ALERTS{alertname="TargetDown"} and on () (count_over_time(shop_queue_length[5m]) > 1)',
          ),
      );
      return result.length > 0;
    });
    return {
      varve,
      endMs,
      stop: async () => {
        await ready.remove();
        await closeExporter();
      },
    };
  } catch (error) {
    await varve?.remove();
    await closeExporter();
    throw error;
  }
}
