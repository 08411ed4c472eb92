// SPDX-License-Identifier: Apache-2.0
// The history of alerts from the series ALERTS: when each was pending and when it fired.
import type { LabelSet, MatrixItem } from "../lib/api";
import { formatDuration } from "../lib/time";
import { type StepRange, timesOf, valuesOn } from "../parts/chart_data";
import type { Span } from "../parts/spans";

export interface AlertHistory {
  key: string;
  labels: LabelSet; // without __name__ and alertstate
  spans: Span[];
  firingMs: number; // in all
}

// Labels that the series has but the rule does not set tell its alerts apart; a rule of the same name
// with other labels has other alerts.
export function isOfRule(labels: LabelSet, ruleLabels: LabelSet): boolean {
  return Object.entries(ruleLabels).every(
    ([name, value]) => value.includes("{{") || labels[name] === value,
  );
}

export function alertHistories(
  matrix: MatrixItem[],
  range: StepRange,
  describe: (fromMs: number, toMs: number) => string,
): AlertHistory[] {
  const times = timesOf(range);
  const alerts = new Map<string, { labels: LabelSet; states: (string | undefined)[] }>();
  for (const item of matrix) {
    const { __name__: _, alertstate = "", ...labels } = item.metric;
    const key = JSON.stringify(Object.entries(labels).sort());
    const alert = alerts.get(key) ?? { labels, states: new Array(times.length) };
    alerts.set(key, alert);
    valuesOn(item, range, times.length).forEach((value, at) => {
      // At the step where the state changes both may be there.
      if (value !== null && alert.states[at] !== "firing") alert.states[at] = alertstate;
    });
  }
  return [...alerts.entries()]
    .map(([key, { labels, states }]) => {
      const spans: Span[] = [];
      let firingMs = 0;
      for (let from = 0; from < states.length; ) {
        const state = states[from];
        let to = from + 1;
        while (to < states.length && states[to] === state) ++to;
        if (state !== undefined) {
          const fromMs = (times[from] ?? 0) * 1000;
          const toMs = fromMs + (to - from) * range.stepS * 1000;
          if (state === "firing") firingMs += toMs - fromMs;
          const long = formatDuration(toMs - fromMs, 2);
          spans.push({
            fromMs,
            toMs,
            kind: state,
            text: `${state} ${long}`,
            title: `${state} for ${long}\n${describe(fromMs, toMs)}`,
          });
        }
        from = to;
      }
      return { key, labels, spans, firingMs };
    })
    .filter((alert) => alert.spans.length > 0)
    .sort((a, b) => b.firingMs - a.firingMs || (a.key < b.key ? -1 : 1));
}
