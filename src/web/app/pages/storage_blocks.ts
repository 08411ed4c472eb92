// SPDX-License-Identifier: Apache-2.0
// The blocks as api/v1/status/tsdb/blocks lists them, and where they stand on a time line.
import type { Span, SpanRow } from "../parts/spans";

export interface Block {
  ulid: string;
  minTime: number; // ms
  maxTime: number; // ms, the first that is not in it
  stats: { numSamples: number; numSeries: number; numChunks: number };
  compaction: { level: number; sources: string[] };
  // What other servers do not tell.
  varve?: {
    sizeBytes: number;
    windowStart: number;
    windowEnd: number;
    outOfOrder: boolean;
    resolution?: number; // ms, of a downsampled block; 0: raw
  };
}

export function bytesPerSample(block: Block): number | undefined {
  const bytes = block.varve?.sizeBytes;
  return bytes === undefined || block.stats.numSamples === 0
    ? undefined
    : bytes / block.stats.numSamples;
}

// What a day of raw samples takes on disk, from the blocks there are; undefined where sizes are not told.
export function bytesPerDay(blocks: Block[]): number | undefined {
  const raw = blocks.filter((block) => resolutionMs(block) === 0 && block.varve);
  if (raw.length === 0) return undefined;
  const bytes = raw.reduce((sum, block) => sum + (block.varve?.sizeBytes ?? 0), 0);
  const from = Math.min(...raw.map((block) => block.minTime));
  const to = Math.max(...raw.map((block) => block.maxTime));
  return to > from ? (bytes * 86_400_000) / (to - from) : undefined;
}

// What a block holds: "raw", or the resolution it is downsampled to.
export function resolutionMs(block: Block): number {
  return block.varve?.resolution ?? 0;
}

// A row for each resolution and level, raw and low levels first; late blocks in a row of their own.
export function blockRows(
  blocks: Block[],
  name: (resolutionMs: number, level: number, late: boolean) => string,
  text: (block: Block) => { text: string; title: string },
): SpanRow[] {
  const rows = new Map<string, { order: number[]; name: string; spans: Span[] }>();
  for (const block of blocks) {
    const late = block.varve?.outOfOrder ?? false;
    const order = [resolutionMs(block), block.compaction.level, late ? 1 : 0];
    const key = order.join("/");
    const row = rows.get(key) ?? {
      order,
      name: name(resolutionMs(block), block.compaction.level, late),
      spans: [],
    };
    rows.set(key, row);
    row.spans.push({
      fromMs: block.minTime,
      toMs: block.maxTime,
      kind: late ? "late" : resolutionMs(block) > 0 ? "coarse" : "block",
      ...text(block),
    });
  }
  const byOrder = (a: number[], b: number[]) =>
    a.map((v, i) => v - (b[i] ?? 0)).find((d) => d !== 0) ?? 0;
  return [...rows.entries()]
    .sort(([, a], [, b]) => byOrder(a.order, b.order))
    .map(([key, row]) => ({ key, name: row.name, spans: row.spans }));
}
