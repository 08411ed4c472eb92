// SPDX-License-Identifier: Apache-2.0
// New points of queries, pushed by the server: one stream for the whole page (browsers give a server
// six connections, over all tabs), which is made anew when what is looked at changes. A page that is
// hidden has none.
import { signal } from "@preact/signals";
import type { MatrixItem } from "./api";
import { EventReader } from "./event_stream";

export interface LivePoints {
  fromS?: number; // the first step that is in; older servers do not say
  toS: number; // the last one
  stepS: number;
  items: MatrixItem[]; // points of steps up to there, old ones too where they have changed
}
export interface LiveSubscription {
  expression: string;
  stepS: number;
  afterS: () => number; // up to this step none is missing; asked whenever a stream begins
  onPoints: (points: LivePoints) => void;
  onReload: () => void; // too much is missing: read the range
  onFailed: (message: string) => void;
}

// Whether points are pushed; without, whoever wants them asks again and again.
export const liveState = signal<"pushed" | "polled">("pushed");

const queriesMax = 100; // of one stream, the server's bound
const gatherMs = 250; // while a page scrolls much comes and goes
const silenceMs = 50_000; // the server speaks every 15 seconds
const retryMs = { first: 1000, max: 60_000 };

interface Message {
  query?: number;
  from?: number;
  to?: number;
  step?: number;
  result?: MatrixItem[];
  error?: string;
}

class LiveConnection {
  private readonly wanted = new Set<LiveSubscription>();
  private timer = 0;
  private abort: AbortController | undefined;
  private failures = 0;

  constructor() {
    document.addEventListener("visibilitychange", () => this.later(0));
    addEventListener("online", () => this.later(0));
  }

  subscribe(subscription: LiveSubscription): () => void {
    this.wanted.add(subscription);
    this.later(gatherMs);
    return () => {
      this.wanted.delete(subscription);
      this.later(gatherMs);
    };
  }

  private later(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), ms) as unknown as number;
  }

  private async connect(): Promise<void> {
    this.abort?.abort();
    this.abort = undefined;
    if (document.hidden || this.wanted.size === 0) return;
    const abort = new AbortController();
    this.abort = abort;
    const all = [...this.wanted];
    for (const more of all.splice(queriesMax)) {
      more.onFailed(`more than ${queriesMax} queries are live at once`);
    }
    const form = new URLSearchParams();
    for (const { expression, stepS, afterS } of all) {
      form.append("query", expression);
      form.append("step", String(stepS));
      form.append("after", String(afterS()));
    }
    let watch = 0;
    const heard = () => {
      clearTimeout(watch);
      watch = setTimeout(() => abort.abort("silence"), silenceMs) as unknown as number;
    };
    try {
      heard();
      const response = await fetch("api/v1/live", {
        method: "POST",
        body: form,
        signal: abort.signal,
      });
      if (!response.ok || !response.body) throw new Error(`${response.status}`);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const events = new EventReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream ended");
        heard();
        this.failures = 0;
        liveState.value = "pushed";
        for (const event of events.push(value)) this.deliver(all, event.event, event.data);
      }
    } catch {
      if (this.abort !== abort) return; // replaced by another, or hidden
      abort.abort();
      liveState.value = "polled";
      const wait = Math.min(retryMs.first * 2 ** this.failures++, retryMs.max);
      this.later(wait * (0.7 + 0.6 * Math.random()));
    } finally {
      clearTimeout(watch);
    }
  }

  private deliver(all: LiveSubscription[], kind: string, data: string): void {
    const message = JSON.parse(data) as Message;
    const subscription = all[message.query ?? -1];
    if (!subscription || !this.wanted.has(subscription)) return;
    if (kind === "points") {
      subscription.onPoints({
        ...(message.from === undefined ? {} : { fromS: message.from }),
        toS: message.to ?? 0,
        stepS: message.step ?? 0,
        items: message.result ?? [],
      });
    } else if (kind === "reload") {
      subscription.onReload();
    } else if (kind === "failed") {
      subscription.onFailed(message.error ?? "the query failed");
    }
  }
}

let connection: LiveConnection | undefined;

// Until the returned function is called.
export function subscribeLive(subscription: LiveSubscription): () => void {
  connection ??= new LiveConnection();
  return connection.subscribe(subscription);
}
