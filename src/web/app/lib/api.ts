// SPDX-License-Identifier: Apache-2.0
// The server's HTTP API, typed. Every failure is an ApiError whose text says what to do next; paths
// are relative to <base>, so that any route prefix works.
import { parseAnswer } from "./late_samples";

export type ErrorKind = "network" | "busy" | "refused" | "failed" | "aborted";

export class ApiError extends Error {
  constructor(
    readonly kind: ErrorKind,
    message: string,
    readonly status = 0,
    readonly errorType = "",
  ) {
    super(message);
  }
}

export interface Answer<T> {
  data: T;
  warnings: string[];
  infos: string[];
}

export type LabelSet = Record<string, string>;
export type SamplePair = [number, string];
export interface NativeHistogram {
  count: string;
  sum: string;
  buckets?: [number, string, string, string][];
}
export type HistogramPair = [number, NativeHistogram];

export interface VectorItem {
  metric: LabelSet;
  value?: SamplePair;
  histogram?: HistogramPair;
}
export interface MatrixItem {
  metric: LabelSet;
  values?: SamplePair[];
  histograms?: HistogramPair[];
}
export interface QueryStats {
  timings?: Record<string, number>;
  samples?: { totalQueryableSamples?: number; peakSamples?: number };
  series?: number; // that were read
  resolutions?: string[]; // of what was read: "raw", "5m"
}
export type QueryData = { stats?: QueryStats } & (
  | { resultType: "vector"; result: VectorItem[] }
  | { resultType: "matrix"; result: MatrixItem[] }
  | { resultType: "scalar"; result: SamplePair }
  | { resultType: "string"; result: SamplePair }
);

type Parameters = Record<string, string | number | string[] | undefined>;

function encode(parameters: Parameters): URLSearchParams {
  const encoded = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) encoded.append(name, String(each));
  }
  return encoded;
}

interface Envelope<T> {
  status: string;
  data?: T;
  error?: string;
  errorType?: string;
  warnings?: string[];
  infos?: string[];
}

async function answer<T>(path: string, init: RequestInit): Promise<Answer<T>> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw new ApiError("aborted", "The request was cancelled.");
    throw new ApiError("network", `The server cannot be reached (${String(error)}).`);
  }
  const text = await response.text().catch(() => "");
  let body: Envelope<T> | undefined;
  try {
    body = parseAnswer(text) as Envelope<T>;
  } catch {
    body = undefined;
  }
  if (response.ok && body?.status === "success") {
    return { data: body.data as T, warnings: body.warnings ?? [], infos: body.infos ?? [] };
  }
  const message = body?.error ?? (text.slice(0, 300) || response.statusText);
  // 502 and 504 are a proxy's words for a server that restarts.
  const waits = [502, 503, 504].includes(response.status);
  const kind: ErrorKind = waits ? "busy" : response.status < 500 ? "refused" : "failed";
  throw new ApiError(kind, message, response.status, body?.errorType ?? "");
}

export function get<T>(path: string, parameters: Parameters = {}, signal?: AbortSignal) {
  const encoded = encode(parameters).toString();
  return answer<T>(encoded ? `${path}?${encoded}` : path, signal ? { signal } : {});
}

// Long expressions do not fit into a URL, so queries are forms.
export function post<T>(path: string, parameters: Parameters, signal?: AbortSignal) {
  return answer<T>(path, {
    method: "POST",
    body: encode(parameters),
    ...(signal ? { signal } : {}),
  });
}

export function instantQuery(query: string, timeS: number, signal?: AbortSignal, withStats = true) {
  return post<QueryData>(
    "api/v1/query",
    { query, time: timeS, stats: withStats ? "all" : undefined },
    signal,
  );
}

// Statistics cost the use of results that the server has kept: they are about computing the whole.
export function rangeQuery(
  query: string,
  range: { startS: number; endS: number; stepS: number },
  signal?: AbortSignal,
  withStats = false,
) {
  const { startS, endS, stepS } = range;
  return post<QueryData>(
    "api/v1/query_range",
    { query, start: startS, end: endS, step: stepS, stats: withStats ? "all" : undefined },
    signal,
  );
}
