// SPDX-License-Identifier: Apache-2.0
// How the state of each series went: stretches of equal value as bars over time.
import { legendText } from "../../lib/labels";
import { dark, zone } from "../../lib/settings";
import { formatTime } from "../../lib/time";
import { seriesColor, timesOf, valuesOn } from "../../parts/chart_data";
import { colorOf, inkOn, show, styleOf } from "../field";
import type { Panel } from "../model";
import type { PanelData } from "../panel_results";

export interface Stretch {
  from: number; // index of the first step
  to: number; // behind the last
  value: number;
}

export function stretches(values: (number | null)[]): Stretch[] {
  const all: Stretch[] = [];
  values.forEach((value, at) => {
    const last = all.at(-1);
    if (value === null) return;
    if (last && last.to === at && last.value === value) last.to = at + 1;
    else all.push({ from: at, to: at + 1, value });
  });
  return all;
}

const rowsMax = 100;
const axisShares = [0.1, 0.3, 0.5, 0.7, 0.9];

export function StateTimelinePanel(props: { panel: Panel; data: PanelData }) {
  const { panel, data } = props;
  const isDark = dark.value;
  const timesS = timesOf(data.range);
  const spanS = data.range.endS - data.range.startS;
  const rows = data.results.flatMap(({ query, data: answer }) =>
    answer.resultType !== "matrix"
      ? []
      : answer.result.map((item) => {
          const name = legendText(query.legend, item.metric);
          const style = styleOf(panel, name, query.id);
          const list = stretches(valuesOn(item, data.range, timesS.length));
          return { name: style.name ?? name, style, list };
        }),
  );
  if (rows.length === 0) return <p class="muted">No series.</p>;
  return (
    <div class="timeline">
      {rows.slice(0, rowsMax).map((row) => (
        <div class="timeline-row" key={row.name}>
          <span class="bar-name" title={row.name}>
            {row.name}
          </span>
          <span class="timeline-track">
            {row.list.map((s) => {
              const shown = show(s.value, row.style);
              const color = shown.color
                ? colorOf(shown.color, isDark)
                : seriesColor(Math.abs(Math.round(s.value)) % 40, isDark);
              const from = formatTime((timesS[s.from] ?? 0) * 1000, zone.value);
              return (
                <i
                  key={s.from}
                  title={`${shown.text} from ${from}`}
                  style={{
                    left: `${(100 * s.from) / timesS.length}%`,
                    width: `${(100 * (s.to - s.from)) / timesS.length}%`,
                    background: color,
                    color: inkOn(color),
                  }}
                >
                  {(s.to - s.from) / timesS.length > 0.08 ? shown.text : ""}
                </i>
              );
            })}
          </span>
        </div>
      ))}
      <div class="timeline-row timeline-axis" aria-hidden="true">
        <span />
        <span class="timeline-times">
          {axisShares.map((share) => {
            const time = timesS[Math.floor(share * (timesS.length - 1))] ?? 0;
            const text = formatTime(time * 1000, zone.value);
            return (
              <span key={share} style={{ left: `${100 * share}%` }}>
                {spanS > 2 * 86_400 ? text.slice(5, 16) : text.slice(11, 16)}
              </span>
            );
          })}
        </span>
      </div>
      {rows.length > rowsMax && <p class="muted">{rows.length - rowsMax} more are not shown.</p>}
    </div>
  );
}
