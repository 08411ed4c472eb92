// SPDX-License-Identifier: Apache-2.0
// What a chart says beside the pointer: the time, the series there with the largest first, marks and
// exemplars close by.
import { useLayoutEffect, useRef } from "preact/hooks";
import { dark, zone } from "../lib/settings";
import { formatTime } from "../lib/time";
import { formatValue } from "../lib/units";
import { type ChartData, largestAt } from "./chart_data";
import { type ChartStyle, colorFor, type Hover, type Mark } from "./chart_options";

const rowsMax = 12;
const gapPx = 14;

export function ChartTooltip(props: {
  data: ChartData;
  names: string[]; // of its series, short
  shown: number[];
  hover: Hover;
  focused: number | null;
  style: ChartStyle;
  marks: Mark[];
}) {
  const { data, shown, hover, focused, style } = props;
  const box = useRef<HTMLDivElement>(null);
  // Beside the pointer, on the side that has room.
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const { offsetWidth: width, offsetHeight: height } = element;
    const right = hover.x + gapPx + width < document.body.clientWidth;
    const left = right ? hover.x + gapPx : Math.max(hover.x - gapPx - width, 4);
    const top = Math.min(Math.max(hover.y - height / 2, 4), Math.max(innerHeight - height - 4, 4));
    element.style.left = `${left}px`;
    element.style.top = `${top}px`;
  });
  const time = data.timesS[hover.at];
  if (time === undefined) return null;
  const { rows, more } = largestAt(data.series, shown, hover.at, focused, rowsMax);
  const near = ((data.timesS.at(-1) ?? 0) - (data.timesS[0] ?? 0)) / 200;
  const mark = props.marks.find((m) => m.fromS - near <= time && time <= m.toS + near);
  const { point } = hover;
  return (
    <div class="chart-tooltip" ref={box} aria-hidden="true">
      <b>{formatTime(time * 1000, zone.value)}</b>
      {rows.length > 0 && (
        <table>
          <tbody>
            {rows.map((row) => {
              const series = data.series[row.series];
              return (
                <tr key={row.series} class={row.series === focused ? "focused" : ""}>
                  <td>
                    <i
                      class="swatch"
                      style={{ background: colorFor(data, row.series, dark.value) }}
                    />
                    {props.names[row.series]}
                  </td>
                  <td class="number">
                    {formatValue(
                      row.value,
                      series?.look?.unit ?? style.unit,
                      series?.look?.decimals ?? style.decimals,
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {rows.length === 0 && <div class="muted">no samples here</div>}
      {more > 0 && <div class="muted">and {more} more</div>}
      {mark && <div class="muted">{mark.text}</div>}
      {point && (
        <div class="exemplar">
          ◆ exemplar {formatValue(point.value, point.unit)} at{" "}
          {formatTime(point.timeS * 1000, zone.value)}
          {Object.entries(point.labels).map(([name, value]) => (
            <div key={name}>
              <span class="muted">{name}</span> {value}
            </div>
          ))}
          <div class="muted">Click to keep it.</div>
        </div>
      )}
    </div>
  );
}
