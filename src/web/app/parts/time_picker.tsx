// SPDX-License-Identifier: Apache-2.0
// Chooses a time range: a list of relative ones, or two points as text. Steps back, forward, wider.
import { useState } from "preact/hooks";
import { zone } from "../lib/settings";
import {
  formatDuration,
  formatTime,
  isRelative,
  parsePoint,
  resolveRange,
  type TimeRange,
} from "../lib/time";
import { Menu } from "./menu";

const presets = [
  "5m",
  "15m",
  "30m",
  "1h",
  "3h",
  "6h",
  "12h",
  "24h",
  "2d",
  "7d",
  "30d",
  "90d",
  "1y",
];
const zones = [
  "local",
  "UTC",
  "Europe/London",
  "Europe/Berlin",
  "America/New_York",
  "America/Los_Angeles",
  "Asia/Kolkata",
  "Asia/Shanghai",
  "Asia/Tokyo",
  "Australia/Sydney",
];

export function describeRange(range: TimeRange): string {
  if (range.to === "now" && range.from.startsWith("now-")) return `Last ${range.from.slice(4)}`;
  return `${shorten(range.from)} – ${shorten(range.to)}`;
}

function shorten(point: string): string {
  const ms = point.startsWith("now") ? undefined : parsePoint(point, Date.now(), zone.value);
  return ms === undefined ? point : formatTime(ms, zone.value).replace(/:00$/, "");
}

export function TimePicker(props: { range: TimeRange; onChange: (range: TimeRange) => void }) {
  const { range, onChange } = props;
  const [draft, setDraft] = useState(range);
  const now = Date.now();
  const resolved = resolveRange(range, now, zone.value);
  const move = (shift: number, grow: number) => {
    if (!resolved) return;
    const span = resolved.toMs - resolved.fromMs;
    if (shift === 0 && isRelative(range) && range.to === "now") {
      onChange({ from: `now-${formatDuration(span * grow)}`, to: "now" });
      return;
    }
    const middle = (resolved.fromMs + resolved.toMs) / 2 + shift * span;
    const at = (ms: number) => new Date(Math.round(ms)).toISOString();
    onChange({ from: at(middle - (span * grow) / 2), to: at(middle + (span * grow) / 2) });
  };
  const draftGood = resolveRange(draft, now, zone.value) !== undefined;
  return (
    <div class="group" role="group" aria-label="Time range">
      <button type="button" title="Earlier" onClick={() => move(-0.5, 1)}>
        ‹
      </button>
      <Menu label={describeRange(range)} title="Choose the time range" alignRight>
        {(close) => (
          <div class="time-panel">
            <div class="presets">
              {presets.map((span) => (
                <button
                  type="button"
                  key={span}
                  class={range.from === `now-${span}` && range.to === "now" ? "chosen" : ""}
                  onClick={() => {
                    const next = { from: `now-${span}`, to: "now" };
                    setDraft(next);
                    onChange(next);
                    close();
                  }}
                >
                  {span}
                </button>
              ))}
            </div>
            <form
              onSubmit={(event) => {
                event.preventDefault();
                if (!draftGood) return;
                onChange(draft);
                close();
              }}
            >
              <label>
                From
                <input
                  value={draft.from}
                  onInput={(e) => setDraft({ ...draft, from: e.currentTarget.value })}
                />
              </label>
              <label>
                To
                <input
                  value={draft.to}
                  onInput={(e) => setDraft({ ...draft, to: e.currentTarget.value })}
                />
              </label>
              <p class="muted">now-6h, 2026-11-21 13:05, ISO 8601, or seconds since 1970</p>
              {!draftGood && <p class="bad">Not a time range: From must be before To.</p>}
              <label>
                Time zone
                <select
                  value={zone.value}
                  onChange={(e) => {
                    zone.value = e.currentTarget.value;
                  }}
                >
                  {[...new Set([...zones, zone.value])].map((name) => (
                    <option key={name} value={name}>
                      {name === "local"
                        ? `browser (${Intl.DateTimeFormat().resolvedOptions().timeZone})`
                        : name}
                    </option>
                  ))}
                </select>
              </label>
              <button type="submit" class="primary" disabled={!draftGood}>
                Apply
              </button>
            </form>
          </div>
        )}
      </Menu>
      <button type="button" title="Later" onClick={() => move(0.5, 1)}>
        ›
      </button>
      <button type="button" title="Wider" onClick={() => move(0, 2)}>
        −
      </button>
      <button type="button" title="Narrower" onClick={() => move(0, 0.5)}>
        +
      </button>
    </div>
  );
}
