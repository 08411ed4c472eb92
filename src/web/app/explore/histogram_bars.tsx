// SPDX-License-Identifier: Apache-2.0
// A native histogram as bars, one for each bucket, as wide as each other.
import type { NativeHistogram } from "../lib/api";
import { formatValue } from "../lib/units";

const barsMax = 160;

export function bucketText(bucket: [number, string, string, string], unit: string): string {
  const [rule, from, to, count] = bucket;
  const open = rule === 1 || rule === 3 ? "[" : "(";
  const close = rule === 0 || rule === 3 ? "]" : ")";
  return `${open}${formatValue(Number(from), unit)}, ${formatValue(Number(to), unit)}${close}: ${formatValue(Number(count))}`;
}

export function HistogramBars(props: { histogram: NativeHistogram; unit: string }) {
  const buckets = (props.histogram.buckets ?? []).slice(0, barsMax);
  const most = Math.max(...buckets.map(([, , , count]) => Number(count)), 0);
  if (buckets.length === 0 || !(most > 0)) return null;
  const width = Math.max(4, Math.min(14, 480 / buckets.length));
  return (
    <svg
      class="histogram-bars"
      width={width * buckets.length}
      height={56}
      role="img"
      aria-label={`${buckets.length} buckets`}
    >
      {buckets.map((bucket, at) => {
        const height = Math.max((54 * Number(bucket[3])) / most, 1);
        return (
          <g key={`${bucket[1]}/${bucket[2]}`}>
            <title>{bucketText(bucket, props.unit)}</title>
            <rect class="reach" x={at * width} y={0} width={width} height={56} />
            <rect x={at * width + 0.5} y={56 - height} width={width - 1} height={height} />
          </g>
        );
      })}
    </svg>
  );
}
