// SPDX-License-Identifier: Apache-2.0
// Pushed points put into what a panel shows: the window moves on with them, what falls out of it
// goes. Pieces may come in any order and more than once.
import type { HistogramPair, MatrixItem, SamplePair } from "../lib/api";
import type { LivePoints } from "../lib/live";
import type { LiveTail } from "./live_tail";
import type { PanelData } from "./panel_results";

// Both in order of time; where a time is in both, the newer one's point stands.
function mergeTimes<Pair extends SamplePair | HistogramPair>(
  old: Pair[],
  fresh: Pair[],
  fromS: number,
): Pair[] {
  const kept = old.filter(([time]) => time >= fromS);
  for (const pair of fresh) {
    if (pair[0] < fromS) continue;
    let at = kept.length;
    while (at > 0 && (kept[at - 1]?.[0] ?? 0) > pair[0]) --at;
    if (at > 0 && kept[at - 1]?.[0] === pair[0]) kept[at - 1] = pair;
    else kept.splice(at, 0, pair);
  }
  return kept;
}

const nameOf = (item: MatrixItem) => JSON.stringify(item.metric);

function mergeSeries(old: MatrixItem[], fresh: MatrixItem[], fromS: number): MatrixItem[] {
  const news = new Map(fresh.map((item) => [nameOf(item), item]));
  const merged: MatrixItem[] = [];
  const put = (item: MatrixItem, more: MatrixItem | undefined) => {
    const values = mergeTimes(item.values ?? [], more?.values ?? [], fromS);
    const histograms = mergeTimes(item.histograms ?? [], more?.histograms ?? [], fromS);
    if (values.length === 0 && histograms.length === 0) return;
    merged.push({
      metric: item.metric,
      ...(values.length > 0 ? { values } : {}),
      ...(histograms.length > 0 ? { histograms } : {}),
    });
  };
  for (const item of old) {
    const name = nameOf(item);
    put(item, news.get(name));
    news.delete(name);
  }
  for (const item of news.values()) put({ metric: item.metric }, item);
  return merged;
}

// `query` is the id of one of the panel's. Points of another step are not of this panel's data.
export function mergeLive(data: PanelData, query: string, points: LivePoints): PanelData {
  const { startS, endS, stepS } = data.range;
  if (Math.abs(points.stepS - stepS) > 1e-6) return data;
  const forward = Math.max(Math.round((points.toS - endS) / stepS), 0) * stepS;
  const range = { startS: startS + forward, endS: endS + forward, stepS };
  return {
    ...data,
    range,
    results: data.results.map((result) =>
      result.query.id === query && result.data.resultType === "matrix"
        ? {
            ...result,
            data: {
              ...result.data,
              result: mergeSeries(result.data.result, points.items, range.startS),
            },
          }
        : result,
    ),
  };
}

// What was pushed of a panel's queries, by their ids.
export interface Pushed {
  of: string; // which queries, as PanelData says
  tails: ReadonlyMap<string, LiveTail>;
}

// A range that was just read, under what was pushed while it was.
export function layOver(data: PanelData, pushed: Pushed | undefined): PanelData {
  if (!pushed || pushed.of !== data.of) return data;
  let over = data;
  for (const [id, tail] of pushed.tails) {
    for (const piece of tail.pieces) {
      if (piece.toS > data.range.endS) over = mergeLive(over, id, piece);
    }
  }
  return over;
}
