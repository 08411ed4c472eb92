// SPDX-License-Identifier: Apache-2.0
// A result as comma-separated values: a row for each sample, a column for each label.
import type { HistogramPair, LabelSet, QueryData, SamplePair } from "../lib/api";

function cell(text: string): string {
  // A leading sign of a formula would be run by a spreadsheet; numbers may have one.
  const plain = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\n\r]/.test(plain) ? `"${plain.replace(/"/g, '""')}"` : plain;
}

export function toCsv(data: QueryData): string {
  const rows: { labels: LabelSet; time: number; value: string }[] = [];
  const add = (labels: LabelSet, samples: SamplePair[], histograms: HistogramPair[]) => {
    for (const [time, value] of samples) rows.push({ labels, time, value });
    for (const [time, histogram] of histograms) rows.push({ labels, time, value: histogram.count });
  };
  if (data.resultType === "vector") {
    for (const item of data.result) {
      add(item.metric, item.value ? [item.value] : [], item.histogram ? [item.histogram] : []);
    }
  } else if (data.resultType === "matrix") {
    for (const item of data.result) add(item.metric, item.values ?? [], item.histograms ?? []);
  } else {
    add({}, [data.result], []);
  }
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.labels)))].sort();
  const lines = rows.map(({ labels, time, value }) =>
    [new Date(time * 1000).toISOString(), ...names.map((name) => labels[name] ?? ""), value]
      .map(cell)
      .join(","),
  );
  return [["time", ...names, "value"].map(cell).join(","), ...lines].join("\n").concat("\n");
}
