// SPDX-License-Identifier: Apache-2.0
// What the storage holds: blocks on a time line, the head, the log, memory by owner.
import { ApiError, get } from "../lib/api";
import { type OwnSample, parseExposition, sumOf } from "../lib/exposition";
import { useLoad } from "../lib/load";
import { zone } from "../lib/settings";
import { formatDuration, formatTime } from "../lib/time";
import { formatValue } from "../lib/units";
import { CopyButton } from "../parts/copy";
import { DataTable } from "../parts/data_table";
import { ErrorNotice, Notice } from "../parts/notice";
import { type SpanRow, Spans } from "../parts/spans";
import { type Block, blockRows, bytesPerDay, bytesPerSample, resolutionMs } from "./storage_blocks";

interface HeadStats {
  numSeries: number;
  numLabelPairs: number;
  chunkCount: number;
  minTime: number;
  maxTime: number;
}

async function ownMetrics(signal: AbortSignal): Promise<OwnSample[]> {
  const response = await fetch("metrics", { signal }).catch((cause: unknown) => {
    throw new ApiError("network", `The server cannot be reached (${String(cause)}).`);
  });
  if (!response.ok) throw new ApiError("busy", response.statusText, response.status);
  return parseExposition(await response.text());
}

function when(ms: number): string {
  return formatTime(ms, zone.value).slice(0, 16);
}

function perSample(block: Block): string {
  const bytes = bytesPerSample(block);
  return bytes === undefined ? "–" : `${formatValue(bytes, "none")} B`;
}

function size(bytes: number | undefined): string {
  return bytes === undefined ? "–" : formatValue(bytes, "bytes");
}

function rowName(resolution: number, level: number, late: boolean): string {
  const kind = resolution > 0 ? `every ${formatDuration(resolution)}` : "raw";
  return `${kind}, level ${level}${late ? ", late" : ""}`;
}

function Blocks(props: { blocks: Block[]; head: HeadStats | undefined }) {
  const { blocks, head } = props;
  const headSpan: SpanRow[] =
    head && head.numSeries > 0 && head.maxTime >= head.minTime
      ? [
          {
            key: "head",
            name: "in memory",
            spans: [
              {
                fromMs: head.minTime,
                toMs: head.maxTime,
                kind: "head",
                text: `${formatValue(head.numSeries)} series`,
                title: `head: ${when(head.minTime)} to ${when(head.maxTime)}, ${formatValue(head.numSeries)} series, ${formatValue(head.chunkCount)} chunks`,
              },
            ],
          },
        ]
      : [];
  const rows = [
    ...headSpan,
    ...blockRows(blocks, rowName, (block) => ({
      text: size(block.varve?.sizeBytes),
      title: `${block.ulid}\n${when(block.minTime)} to ${when(block.maxTime)}\n${formatValue(block.stats.numSeries)} series, ${formatValue(block.stats.numSamples)} samples\n${size(block.varve?.sizeBytes)}, ${perSample(block)} a sample`,
    })),
  ];
  const spans = rows.flatMap((row) => row.spans);
  if (spans.length === 0) {
    return <Notice kind="empty">Nothing is stored yet: scrape a target, or write samples.</Notice>;
  }
  return (
    <>
      <Spans
        label="Blocks on a time line"
        fromMs={Math.min(...spans.map((s) => s.fromMs))}
        toMs={Math.max(...spans.map((s) => s.toMs))}
        rows={rows}
      />
      {blocks.length === 0 ? (
        <p class="muted">
          No blocks yet: the first is cut from memory when it spans three hours, and holds two.
        </p>
      ) : (
        <details>
          <summary>
            {blocks.length} block{blocks.length === 1 ? "" : "s"} as a table
          </summary>
          <DataTable
            caption="Blocks"
            rows={blocks}
            rowKey={(block) => block.ulid}
            columns={[
              {
                title: "Block",
                sort: (block) => block.ulid,
                show: (block) => (
                  <>
                    <code>{block.ulid}</code> <CopyButton text={block.ulid} title="Copy the name" />
                    {block.varve?.outOfOrder && <span class="badge pending">late samples</span>}
                  </>
                ),
              },
              {
                title: "From",
                sort: (block) => block.minTime,
                show: (block) => when(block.minTime),
              },
              { title: "To", sort: (block) => block.maxTime, show: (block) => when(block.maxTime) },
              {
                title: "Spans",
                number: true,
                sort: (block) => block.maxTime - block.minTime,
                show: (block) => formatDuration(block.maxTime - block.minTime, 2),
              },
              {
                title: "Level",
                number: true,
                sort: (block) => block.compaction.level,
                show: (block) =>
                  resolutionMs(block) > 0
                    ? `${block.compaction.level} · ${formatDuration(resolutionMs(block))}`
                    : block.compaction.level,
              },
              {
                title: "Series",
                number: true,
                sort: (block) => block.stats.numSeries,
                show: (block) => formatValue(block.stats.numSeries),
              },
              {
                title: "Samples",
                number: true,
                sort: (block) => block.stats.numSamples,
                show: (block) => formatValue(block.stats.numSamples),
              },
              {
                title: "Size",
                number: true,
                sort: (block) => block.varve?.sizeBytes ?? 0,
                show: (block) => size(block.varve?.sizeBytes),
              },
              {
                title: "Bytes/sample",
                number: true,
                sort: (block) => bytesPerSample(block) ?? 0,
                show: perSample,
              },
            ]}
          />
        </details>
      )}
    </>
  );
}

function Facts(props: { facts: [name: string, text: string, title?: string | undefined][] }) {
  return (
    <dl class="facts">
      {props.facts.map(([name, text, title]) => (
        <div key={name} title={title}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function Memory(props: { own: OwnSample[] }) {
  const owners = props.own
    .filter((sample) => sample.name === "varve_memory_bytes" && sample.value > 0)
    .map((sample) => ({ owner: sample.labels.owner ?? "", bytes: sample.value }))
    .sort((a, b) => b.bytes - a.bytes);
  const most = Math.max(1, ...owners.map((o) => o.bytes));
  const resident = sumOf(props.own, "process_resident_memory_bytes");
  return (
    <section class="panel">
      <h2>
        Memory{" "}
        <span class="muted">
          {resident !== undefined && `${formatValue(resident, "bytes")} resident`}
        </span>
      </h2>
      <DataTable
        caption="Memory by owner"
        rows={owners}
        rowKey={(row) => row.owner}
        columns={[
          {
            title: "Owner",
            sort: (row) => row.owner,
            show: (row) => (
              <div class="bar-cell">
                <i class="bar" style={{ width: `${(100 * row.bytes) / most}%` }} />
                <span>{row.owner.replaceAll("_", " ")}</span>
              </div>
            ),
          },
          {
            title: "Reserved",
            number: true,
            sort: (row) => row.bytes,
            show: (row) => formatValue(row.bytes, "bytes"),
          },
        ]}
      />
    </section>
  );
}

function Log(props: { own: OwnSample[] }) {
  const of = (name: string) => sumOf(props.own, name);
  const frames = of("varve_wal_frames_total");
  const written = of("varve_wal_written_bytes_total");
  const syncs = of("prometheus_tsdb_wal_fsync_duration_seconds_count");
  const syncS = of("prometheus_tsdb_wal_fsync_duration_seconds_sum");
  const failed = of("prometheus_tsdb_wal_writes_failed_total");
  const rows: [string, string][] = [
    ["Segment being written", String(of("prometheus_tsdb_wal_segment_current") ?? "–")],
    ["Written since the start", size(written)],
    ["Commits", formatValue(frames ?? 0)],
    ["A commit on average", frames && written ? formatValue(written / frames, "bytes") : "–"],
    ["A sync on average", syncs && syncS !== undefined ? formatValue(syncS / syncs, "s") : "–"],
    ["Waiting to be written", size(of("varve_wal_staged_bytes"))],
    ["Closed chunks beside it", size(of("varve_head_spill_bytes"))],
    ["Snapshots of memory", formatValue(of("varve_head_snapshots_total") ?? 0)],
  ];
  return (
    <section class="panel">
      <h2>Write-ahead log</h2>
      {failed !== undefined && failed > 0 && (
        <Notice kind="error">
          {failed} writes to the log failed; samples are refused until the disk is well again and
          the server restarted. Its log says why.
        </Notice>
      )}
      <dl class="pairs">
        {rows.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function StorageStatus() {
  const blocks = useLoad(
    (signal) => get<{ blocks: Block[] }>("api/v1/status/tsdb/blocks", {}, signal),
    [],
    60_000,
  );
  const head = useLoad(
    (signal) => get<{ headStats: HeadStats }>("api/v1/status/tsdb", { limit: 1 }, signal),
    [],
    30_000,
  );
  const metrics = useLoad(ownMetrics, [], 30_000);
  const list = blocks.data?.data.blocks ?? [];
  const own = metrics.data ?? [];
  const stats = head.data?.data.headStats;
  const bytes = list.reduce((sum, block) => sum + (block.varve?.sizeBytes ?? 0), 0);
  const samples = list.reduce((sum, block) => sum + block.stats.numSamples, 0);
  const broken = sumOf(own, "varve_blocks_unreadable") ?? 0;
  const oldestS = sumOf(own, "prometheus_tsdb_lowest_timestamp_seconds");
  const error = blocks.error ?? head.error ?? metrics.error;
  return (
    <>
      <section class="panel" id="storage">
        <h2>Storage</h2>
        {error && <ErrorNotice error={error} />}
        {broken > 0 && (
          <Notice kind="error">
            {broken} blocks cannot be read and were set aside. <code>varve tsdb verify</code> says
            what is damaged.
          </Notice>
        )}
        <Facts
          facts={[
            ["Blocks", String(list.length)],
            ["Their size", bytes > 0 ? formatValue(bytes, "bytes") : "–"],
            ["Samples in them", formatValue(samples)],
            [
              "Bytes a sample",
              bytes > 0 && samples > 0 ? formatValue(bytes / samples, "none") : "–",
              "Labels and index included",
            ],
            ["A day takes", size(bytesPerDay(list)), "Of raw samples, by the blocks there are"],
            [
              "Oldest sample",
              oldestS ? when(1000 * oldestS) : "–",
              oldestS ? `${formatDuration(Date.now() - 1000 * oldestS, 2)} ago` : undefined,
            ],
            ["Series in memory", stats ? formatValue(stats.numSeries) : "–"],
            ["Chunks in memory", stats ? formatValue(stats.chunkCount) : "–"],
          ]}
        />
        {blocks.data && head.data && <Blocks blocks={list} head={stats} />}
      </section>
      {metrics.data && (
        <div class="two-columns">
          <Memory own={own} />
          <Log own={own} />
        </div>
      )}
    </>
  );
}
