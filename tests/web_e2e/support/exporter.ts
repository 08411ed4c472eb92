// SPDX-License-Identifier: Apache-2.0
// A target for varve to scrape: counters that grow with each scrape, and hostile labels.
import { createServer, type Server } from "node:http";
import { hostile } from "./data";
import { listen } from "./varve";

const escapeLabel = (text: string) =>
  text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

function page(scrapes: number): string {
  return `# HELP shop_orders_total Orders taken, by kind.
# TYPE shop_orders_total counter
shop_orders_total{kind="book"} ${10 * scrapes} # {trace_id="4bf92f3577b34da6"} 1
shop_orders_total{kind="tea"} ${3 * scrapes}
shop_orders_total{kind="${escapeLabel(hostile)}"} ${scrapes}
# HELP shop_queue_length Orders that wait.
# TYPE shop_queue_length gauge
shop_queue_length ${5 + (scrapes % 10)}
# EOF
`;
}

export async function startExporter(): Promise<{ exporter: Server; port: number }> {
  let scrapes = 0;
  const exporter = createServer((request, response) => {
    if (request.url !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      "Content-Type": "application/openmetrics-text; version=1.0.0; charset=utf-8",
    });
    response.end(page(++scrapes));
  });
  return { exporter, port: await listen(exporter) };
}
