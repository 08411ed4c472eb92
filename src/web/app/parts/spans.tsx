// SPDX-License-Identifier: Apache-2.0
// Rows of stretches of time above one axis: the history of an alert, the blocks of the storage.
import type { ComponentChildren } from "preact";
import { zone } from "../lib/settings";
import { timeTicks } from "./time_ticks";

export interface Span {
  fromMs: number;
  toMs: number;
  kind: string; // a class of the sheet: what colour it has
  text: string; // inside, where there is room
  title: string;
}
export interface SpanRow {
  key: string;
  name: ComponentChildren;
  spans: Span[];
}

export function Spans(props: {
  fromMs: number;
  toMs: number;
  rows: SpanRow[];
  label: string; // for screen readers
}) {
  const { fromMs, toMs, rows } = props;
  const span = Math.max(toMs - fromMs, 1);
  const place = (ms: number) => (100 * (Math.min(Math.max(ms, fromMs), toMs) - fromMs)) / span;
  const ticks = timeTicks(fromMs, toMs, innerWidth < 700 ? 4 : 8, zone.value);
  return (
    <div class="spans" role="group" aria-label={props.label}>
      {rows.map((row) => (
        <div class="spans-row" key={row.key}>
          <div class="spans-name">{row.name}</div>
          <div class="spans-track">
            {ticks.map((tick) => (
              <i key={tick.ms} class="spans-line" style={{ left: `${place(tick.ms)}%` }} />
            ))}
            {row.spans.map((s) => (
              <span
                key={`${s.fromMs}/${s.kind}`}
                class={`span ${s.kind}`}
                title={s.title}
                style={{
                  left: `${place(s.fromMs)}%`,
                  width: `${Math.max(place(s.toMs) - place(s.fromMs), 0.15)}%`,
                }}
              >
                {place(s.toMs) - place(s.fromMs) > 7 ? s.text : ""}
              </span>
            ))}
          </div>
        </div>
      ))}
      <div class="spans-row" aria-hidden="true">
        <div class="spans-name" />
        <div class="spans-axis">
          {ticks.map((tick) => (
            <span key={tick.ms} style={{ left: `${place(tick.ms)}%` }}>
              {tick.text}
            </span>
          ))}
        </div>
      </div>
    </div>
  );
}
