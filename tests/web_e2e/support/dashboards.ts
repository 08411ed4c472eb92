// SPDX-License-Identifier: Apache-2.0
// Dashboards that tests make for themselves, by the API.
import { siteUrl } from "./page";

export interface TestPanel {
  title: string;
  expression: string;
  type?: string;
  legend?: string;
  [key: string]: unknown;
}

let made = 0;

// Panels stand three in a row. Gives the id.
export async function makeDashboard(
  panels: TestPanel[],
  more: Record<string, unknown> = {},
  url = siteUrl,
): Promise<string> {
  const response = await fetch(`${url}api/v1/dashboards`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      title: `Test ${++made}`,
      panels: panels.map(({ expression, legend = "", ...panel }, at) => ({
        id: at + 1,
        type: "timeseries",
        x: 8 * (at % 3),
        y: 8 * Math.floor(at / 3),
        w: 8,
        h: 8,
        queries: expression === "" ? [] : [{ id: "A", expression, legend }],
        ...panel,
      })),
      ...more,
    }),
  });
  const answer = (await response.json()) as { data?: { id: string }; error?: string };
  if (!answer.data) throw new Error(`no dashboard was made: ${answer.error}`);
  return answer.data.id;
}

export interface Kept {
  version: number;
  title: string;
  panels: { title: string; x: number; y: number; w: number; h: number }[];
}

export async function readDashboard(id: string, url = siteUrl): Promise<Kept> {
  const response = await fetch(`${url}api/v1/dashboards/${id}`);
  return ((await response.json()) as { data: Kept }).data;
}

// Saves as somebody else does meanwhile.
export async function changeDashboard(id: string, changes: object, url = siteUrl): Promise<void> {
  const kept = await readDashboard(id, url);
  const response = await fetch(`${url}api/v1/dashboards/${id}`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...kept, ...changes }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}
