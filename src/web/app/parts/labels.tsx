// SPDX-License-Identifier: Apache-2.0
import type { LabelSet } from "../lib/api";

// Labels as small tags. Names and values are text, whatever they contain.
export function LabelTags(props: { labels: LabelSet; leaveOut?: string[] }) {
  const left = new Set(props.leaveOut ?? []);
  return (
    <span class="tags">
      {Object.entries(props.labels)
        .filter(([name]) => !left.has(name))
        .map(([name, value]) => (
          <span class="tag" key={name} title={`${name}="${value}"`}>
            <b>{name}</b>={value === "" ? '""' : value}
          </span>
        ))}
    </span>
  );
}

// A series as text: the metric's name stands out.
export function SeriesText(props: { labels: LabelSet }) {
  const { __name__: name, ...rest } = props.labels;
  const pairs = Object.entries(rest);
  return (
    <span class="series">
      <b>{name ?? ""}</b>
      {(pairs.length > 0 || !name) && (
        <>
          {"{"}
          {pairs.map(([key, value], at) => (
            <span key={key}>
              {at > 0 && ", "}
              <span class="label-name">{key}</span>=<span class="label-value">"{value}"</span>
            </span>
          ))}
          {"}"}
        </>
      )}
    </span>
  );
}
