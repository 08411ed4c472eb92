// SPDX-License-Identifier: Apache-2.0
// Cardinality: which metrics, labels and pairs the series of a time consist of, what grew since
// another time, and a way down from each to its parts.
import { ApiError, get } from "../lib/api";
import { labelName, narrowed, quote } from "../lib/labels";
import { type Loaded, useLoad } from "../lib/load";
import { go, href, place } from "../lib/router";
import { zone } from "../lib/settings";
import { formatTime } from "../lib/time";
import { formatValue } from "../lib/units";
import { CopyButton } from "../parts/copy";
import { DataTable, type TableColumn } from "../parts/data_table";
import { ErrorNotice, Notice } from "../parts/notice";
import { comparedRange, comparesNothing, countedRange } from "./cardinality_range";

interface Entry {
  name: string;
  value: number;
  before?: number;
  new?: number;
  label?: string;
  labelValue?: string;
}
interface Counted {
  range: { start: number; end: number };
  compared?: { start: number; end: number };
  series: { value: number; before?: number; new?: number; gone?: number };
  seriesCountByMetricName: Entry[];
  labelValueCountByLabelName: Entry[];
  seriesCountByLabelValuePair: Entry[];
}
interface HeadStatus {
  headStats: {
    numSeries: number;
    numLabelPairs: number;
    chunkCount: number;
    minTime: number;
    maxTime: number;
  };
  memoryInBytesByLabelName: Entry[];
}

interface Choice {
  selector: string;
  at: string;
  against: string;
  sort: string;
  limit: number;
}
const standard: Choice = {
  selector: "",
  at: "24h",
  against: comparesNothing,
  sort: "count",
  limit: 20,
};

function readChoice(): Choice {
  const p = place.value.parameters;
  return {
    selector: p.get("selector") ?? standard.selector,
    at: p.get("at") ?? standard.at,
    against: p.get("against") ?? standard.against,
    sort: p.get("sort") === "growth" ? "growth" : "count",
    limit: Math.min(Math.max(Number(p.get("limit")) || standard.limit, 1), 10_000),
  };
}

function change(next: Partial<Choice>): void {
  const choice = { ...readChoice(), ...next };
  const parameters = new URLSearchParams();
  for (const key of Object.keys(standard) as (keyof Choice)[]) {
    if (choice[key] !== standard[key]) parameters.set(key, String(choice[key]));
  }
  go("cardinality", parameters);
}

// More series than this are not listed whole.
const tableMax = 1000;

function signed(value: number): string {
  return (value > 0 ? "+" : value < 0 ? "−" : "±") + formatValue(Math.abs(value));
}

function Counts(props: {
  title: string;
  counted: string; // what the numbers are of
  rows: Entry[];
  compared: boolean;
  total: number;
  unit?: string;
  matcher?: (row: Entry) => string;
  selector: string;
}) {
  const { rows, total, compared, matcher, selector, unit = "short" } = props;
  const most = Math.max(1, ...rows.map((row) => Math.max(row.value, row.before ?? 0)));
  const columns: TableColumn<Entry>[] = [
    {
      title: "Name",
      sort: (row) => row.name,
      show: (row) => (
        <div class="bar-cell">
          <i class="bar" style={{ width: `${(100 * row.value) / most}%` }} />
          {matcher ? (
            <button
              type="button"
              class="link"
              title="Look into it"
              onClick={() => change({ selector: narrowed(selector, matcher(row)) })}
            >
              {row.name}
            </button>
          ) : (
            <span>{row.name}</span>
          )}
        </div>
      ),
    },
    {
      title: props.counted,
      number: true,
      sort: (row) => row.value,
      show: (row) => <span title={String(row.value)}>{formatValue(row.value, unit)}</span>,
    },
  ];
  if (compared) {
    columns.push({
      title: "Change",
      number: true,
      sort: (row) => row.value - (row.before ?? 0),
      show: (row) => {
        const by = row.value - (row.before ?? 0);
        return (
          <span
            class={by > 0 ? "grew" : by < 0 ? "shrank" : "muted"}
            title={`before: ${row.before}`}
          >
            {signed(by)}
          </span>
        );
      },
    });
    if (rows.some((row) => row.new !== undefined)) {
      columns.push({
        title: "New",
        number: true,
        sort: (row) => row.new ?? 0,
        show: (row) => formatValue(row.new ?? 0),
      });
    }
  } else if (total > 0) {
    columns.push({
      title: "Share",
      number: true,
      show: (row) => formatValue((100 * row.value) / total, "percent", 1),
    });
  }
  if (matcher) {
    columns.push({
      title: "Actions",
      titleHidden: true,
      show: (row) => {
        const picked = narrowed(selector, matcher(row));
        const explore = (expression: string, tab: string) =>
          href("explore", new URLSearchParams({ "g0.expr": expression, "g0.tab": tab }));
        return (
          <span class="actions">
            <a
              href={explore(row.value > tableMax ? `topk(100, ${picked})` : picked, "table")}
              title={row.value > tableMax ? "A hundred of these series" : "These series"}
            >
              series
            </a>
            <a href={explore(`count(${picked})`, "graph")} title="How many there were over time">
              query
            </a>
            <CopyButton text={picked} title="Copy the selector" />
          </span>
        );
      },
    });
  }
  return (
    <section class="panel">
      <h2>{props.title}</h2>
      {rows.length === 0 ? (
        <p class="muted">None.</p>
      ) : (
        <DataTable caption={props.title} rows={rows} rowKey={(row) => row.name} columns={columns} />
      )}
    </section>
  );
}

function Head(props: { loaded: Loaded<{ data: HeadStatus }> }) {
  const { loaded } = props;
  const head = loaded.data?.data.headStats;
  const facts: [string, string, string][] = head
    ? [
        ["Series in memory", formatValue(head.numSeries), String(head.numSeries)],
        ["Label pairs", formatValue(head.numLabelPairs), String(head.numLabelPairs)],
        ["Chunks", formatValue(head.chunkCount), String(head.chunkCount)],
        ["Oldest in memory", formatTime(head.minTime, zone.value).slice(0, 19), ""],
        ["Newest", formatTime(head.maxTime, zone.value).slice(0, 19), ""],
      ]
    : [];
  return (
    <>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      <dl class="facts">
        {facts.map(([name, text, title]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd title={title}>{text}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Toolbar(props: { choice: Choice }) {
  const { choice } = props;
  const isDay = (text: string) => /^\d{4}-/.test(text);
  return (
    <div class="toolbar">
      <h1>Cardinality</h1>
      <input
        class="filter"
        placeholder='All series; or a selector, for example {job="node"}'
        aria-label="Selector"
        value={choice.selector}
        onChange={(e) => change({ selector: e.currentTarget.value.trim() })}
      />
      {choice.selector && (
        <button type="button" onClick={() => change({ selector: "" })}>
          All series
        </button>
      )}
      <span class="grow" />
      <label class="check">
        Count
        <select
          value={isDay(choice.at) ? "day" : choice.at}
          onChange={(e) => {
            const at = e.currentTarget.value;
            change({ at: at === "day" ? formatTime(Date.now(), zone.value).slice(0, 10) : at });
          }}
        >
          <option value="1h">last hour</option>
          <option value="24h">last 24 hours</option>
          <option value="7d">last 7 days</option>
          <option value="day">the day …</option>
        </select>
      </label>
      {isDay(choice.at) && (
        <input
          type="date"
          aria-label="Day to count"
          value={choice.at}
          onChange={(e) => e.currentTarget.value && change({ at: e.currentTarget.value })}
        />
      )}
      <label class="check">
        against
        <select
          value={isDay(choice.against) ? "date" : choice.against}
          onChange={(e) => {
            const against = e.currentTarget.value;
            const yesterday = formatTime(Date.now() - 86_400_000, zone.value).slice(0, 10);
            change({
              against: against === "date" ? yesterday : against,
              sort: against === comparesNothing ? "count" : "growth",
            });
          }}
        >
          <option value="none">nothing</option>
          <option value="before">the same time before</option>
          <option value="day">a day ago</option>
          <option value="week">a week ago</option>
          <option value="date">the day …</option>
        </select>
      </label>
      {isDay(choice.against) && (
        <input
          type="date"
          aria-label="Day to compare with"
          value={choice.against}
          onChange={(e) => e.currentTarget.value && change({ against: e.currentTarget.value })}
        />
      )}
      {choice.against !== comparesNothing && (
        <select
          aria-label="Order"
          value={choice.sort}
          onChange={(e) => change({ sort: e.currentTarget.value })}
        >
          <option value="growth">Largest change</option>
          <option value="count">Largest now</option>
        </select>
      )}
      <select
        aria-label="Rows"
        value={choice.limit}
        onChange={(e) => change({ limit: Number(e.currentTarget.value) })}
      >
        {[10, 20, 50, 200].map((n) => (
          <option key={n} value={n}>
            Top {n}
          </option>
        ))}
      </select>
    </div>
  );
}

export function CardinalityPage() {
  const choice = readChoice();
  const head = useLoad(
    (signal) => get<HeadStatus>("api/v1/status/tsdb", { limit: choice.limit }, signal),
    [choice.limit],
    60_000,
  );
  const loaded = useLoad(
    async (signal) => {
      const counted = countedRange(choice.at, Date.now(), zone.value);
      if (!counted) {
        throw new ApiError(
          "refused",
          `No time to count: “${choice.at}”. It is 1h, 24h, 7d or a day such as 2026-11-21.`,
        );
      }
      const compared = comparedRange(choice.against, counted, zone.value);
      if (!compared && choice.against !== comparesNothing) {
        throw new ApiError(
          "refused",
          `No time to compare with: “${choice.against}”. It is none, before, day, week or a day such as 2026-11-21.`,
        );
      }
      return get<Counted>(
        "api/v1/status/cardinality",
        {
          start: counted.startMs / 1000,
          end: counted.endMs / 1000,
          compare_start: compared && compared.startMs / 1000,
          compare_end: compared && compared.endMs / 1000,
          "match[]": choice.selector || undefined,
          limit: choice.limit,
          sort: choice.sort,
        },
        signal,
      );
    },
    [choice.at, choice.against, choice.selector, choice.limit, choice.sort, zone.value],
  );
  const counted = loaded.stale && loaded.error ? undefined : loaded.data?.data;
  const compared = counted?.compared;
  const day = (range: { start: number; end: number }) =>
    `${formatTime(Math.floor(range.start) * 1000, zone.value).slice(0, 16)} to ${formatTime(Math.floor(range.end) * 1000, zone.value).slice(0, 16)}`;
  return (
    <main class="wide">
      <Toolbar choice={choice} />
      {!choice.selector && <Head loaded={head} />}
      {loaded.error && <ErrorNotice error={loaded.error} retry={loaded.reload} />}
      {loaded.data?.warnings.map((text) => (
        <Notice kind="warning" key={text}>
          {text}
        </Notice>
      ))}
      {loaded.loading && !counted && <p class="muted">Counting …</p>}
      {counted && (
        <div class={loaded.stale ? "dimmed" : ""} aria-busy={loaded.loading}>
          <p class="sentence">
            <b>{counted.series.value.toLocaleString("en")}</b> series
            {choice.selector && (
              <>
                {" "}
                match <code>{choice.selector}</code>
              </>
            )}{" "}
            <span class="muted">{day(counted.range)}</span>
            {compared && (
              <>
                {"; "}
                {(counted.series.before ?? 0).toLocaleString("en")} before:{" "}
                <b class="grew">+{(counted.series.new ?? 0).toLocaleString("en")} new</b>,{" "}
                <b class="shrank">−{(counted.series.gone ?? 0).toLocaleString("en")} gone</b>{" "}
                <span class="muted">since {day(compared)}</span>
              </>
            )}
          </p>
          {counted.series.value === 0 && (counted.series.before ?? 0) === 0 ? (
            <Notice kind="empty">
              No series has a sample there.{" "}
              {choice.selector
                ? "Widen the selector or choose another time."
                : "Choose another time, or look at Targets whether anything is scraped."}
            </Notice>
          ) : (
            <div class="two-columns">
              <Counts
                title="Metrics"
                counted="Series"
                rows={counted.seriesCountByMetricName}
                compared={compared !== undefined}
                total={counted.series.value}
                selector={choice.selector}
                matcher={(row) => `__name__=${quote(row.name)}`}
              />
              <Counts
                title="Pairs of label and value"
                counted="Series"
                rows={counted.seriesCountByLabelValuePair}
                compared={compared !== undefined}
                total={counted.series.value}
                selector={choice.selector}
                matcher={(row) => `${labelName(row.label ?? "")}=${quote(row.labelValue ?? "")}`}
              />
              <Counts
                title="Labels"
                counted="Values"
                rows={counted.labelValueCountByLabelName}
                compared={compared !== undefined}
                total={0}
                selector={choice.selector}
                matcher={(row) => `${labelName(row.name)}!=""`}
              />
              {!choice.selector && head.data && (
                <Counts
                  title="Labels by memory of their values"
                  counted="Bytes"
                  rows={head.data.data.memoryInBytesByLabelName}
                  compared={false}
                  total={0}
                  unit="bytes"
                  selector=""
                />
              )}
            </div>
          )}
        </div>
      )}
    </main>
  );
}
