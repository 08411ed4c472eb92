// SPDX-License-Identifier: Apache-2.0
// Dashboards as the server keeps them.
import { type Answer, ApiError, get } from "../lib/api";
import { type Dashboard, readDashboard } from "./model";

export interface Listed {
  id: string;
  title: string;
  tags: string[];
  version: number;
  provisioned: boolean; // from a file: it cannot be changed here, only copied
}

export class ConflictError extends ApiError {
  constructor(
    message: string,
    readonly current: Dashboard | undefined,
  ) {
    super("refused", message, 409, "conflict");
  }
}

export const listDashboards = (signal?: AbortSignal) =>
  get<Listed[]>("api/v1/dashboards", {}, signal);

// Without a version: the newest.
export async function loadDashboard(
  id: string,
  signal?: AbortSignal,
  version?: number,
): Promise<Dashboard> {
  const answer: Answer<unknown> = await get(
    `api/v1/dashboards/${encodeURIComponent(id)}`,
    { version },
    signal,
  );
  return readDashboard(answer.data);
}

// Ascending.
export async function listVersions(id: string, signal?: AbortSignal): Promise<number[]> {
  const path = `api/v1/dashboards/${encodeURIComponent(id)}/versions`;
  return (await get<number[]>(path, {}, signal)).data;
}

async function send(method: string, path: string, body?: unknown): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
  } catch (error) {
    throw new ApiError("network", `The server cannot be reached (${String(error)}).`);
  }
  const json = (await response.json().catch(() => undefined)) as
    | { data?: unknown; error?: string; errorType?: string }
    | undefined;
  if (response.ok) return json?.data;
  const message = json?.error ?? response.statusText;
  if (response.status === 409) {
    let current: Dashboard | undefined;
    try {
      current = readDashboard(json?.data);
    } catch {
      current = undefined;
    }
    throw new ConflictError(message, current);
  }
  const kind = response.status === 503 ? "busy" : response.status < 500 ? "refused" : "failed";
  throw new ApiError(kind, message, response.status, "dashboard");
}

// Both give the dashboard as it is kept now: with its id and its new version.
export async function createDashboard(dashboard: Dashboard): Promise<Dashboard> {
  return readDashboard(await send("POST", "api/v1/dashboards", dashboard));
}
export async function saveDashboard(dashboard: Dashboard): Promise<Dashboard> {
  const path = `api/v1/dashboards/${encodeURIComponent(dashboard.id)}`;
  return readDashboard(await send("PUT", path, dashboard));
}
export async function deleteDashboard(id: string): Promise<void> {
  await send("DELETE", `api/v1/dashboards/${encodeURIComponent(id)}`);
}
