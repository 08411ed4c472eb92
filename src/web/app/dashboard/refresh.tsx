// SPDX-License-Identifier: Apache-2.0
// When a dashboard is read again: by hand, by the clock, or never because points are pushed.
import { useEffect, useState } from "preact/hooks";
import { liveState } from "../lib/live";

const choices = [0, 5, 10, 15, 30, 60, 300, 900, 3600];
export const liveRefresh = "live";
// What is not pushed on a live dashboard (instant queries, annotations) is read as often as most
// targets are scraped.
export const livePollS = 15;

// Grows with every turn of the clock, with a jitter so that many viewers do not ask at once; not
// while the page is hidden, then once when it is seen again.
export function useTurns(everyS: number): number {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (everyS <= 0) return;
    let timer = 0;
    let missed = false;
    const next = () => {
      timer = setTimeout(
        () => {
          if (document.hidden) missed = true;
          else setTurn((t) => t + 1);
          next();
        },
        everyS * 1000 * (0.9 + 0.2 * Math.random()),
      ) as unknown as number;
    };
    const onVisible = () => {
      if (document.hidden || !missed) return;
      missed = false;
      setTurn((t) => t + 1);
    };
    next();
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [everyS]);
  return turn;
}

const durationOf = (s: number) =>
  s < 60 ? `${s} s` : s < 3600 ? `${s / 60} min` : `${s / 3600} h`;

export function RefreshPicker(props: {
  value: number | typeof liveRefresh;
  canBeLive: boolean;
  onChange: (value: string) => void;
  onNow: () => void;
}) {
  const { value, canBeLive } = props;
  const isLive = value === liveRefresh && canBeLive;
  return (
    <div class="group refresh">
      {isLive && (
        <span
          class={`live-sign ${liveState.value}`}
          role="status"
          title={
            liveState.value === "pushed"
              ? "New points are pushed as they come"
              : "No stream of new points: the panels ask again every 15 seconds"
          }
        >
          <span aria-hidden="true">●</span> {liveState.value === "pushed" ? "live" : "polling"}
        </span>
      )}
      <select
        aria-label="Refresh"
        value={value === liveRefresh && !canBeLive ? 0 : value}
        onChange={(e) => props.onChange(e.currentTarget.value)}
      >
        <option value={liveRefresh} disabled={!canBeLive}>
          Live
        </option>
        {[...new Set([...choices, ...(typeof value === "number" ? [value] : [])])].map((s) => (
          <option key={s} value={s}>
            {s === 0 ? "No refresh" : `Every ${durationOf(s)}`}
          </option>
        ))}
      </select>
      <button
        type="button"
        title="Read everything again"
        aria-label="Refresh"
        onClick={props.onNow}
      >
        ↻
      </button>
    </div>
  );
}
