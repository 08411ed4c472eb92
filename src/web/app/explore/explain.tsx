// SPDX-License-Identifier: Apache-2.0
// A query taken apart: its syntax tree, each node evaluated by itself with how many series come out
// of it, which labels they have, and how the sides of an operator pair up.
import { useState } from "preact/hooks";
import { type LabelSet, post, type QueryData } from "../lib/api";
import { type Loaded, useLoad } from "../lib/load";
import { parseValue } from "../lib/number";
import { formatValue } from "../lib/units";
import { CopyButton } from "../parts/copy";
import { LabelTags } from "../parts/labels";
import { ErrorNotice, Notice } from "../parts/notice";
import { type MatchGroup, matchGroups } from "./match_groups";
import {
  type BinaryTree,
  childrenOf,
  explanation,
  headline,
  isLiteral,
  isRange,
  type Matching,
  promql,
  type Tree,
} from "./promql_tree";
import { ResultTable } from "./result";

// A node's result is read up to here: enough to see what goes wrong.
const seriesMax = 10_000;
const labelsShown = 6;
const groupsShown = 50;

interface NodeResult {
  data: QueryData;
  labels: LabelSet[];
  samples: number | undefined; // of a range
  cut: boolean;
  tookMs: number;
}

async function evaluate(tree: Tree, timeS: number, signal: AbortSignal): Promise<NodeResult> {
  const expression = promql(tree);
  const range = isRange(tree);
  const begun = performance.now();
  const { data } = await post<QueryData>(
    "api/v1/query",
    {
      query: range ? `count_over_time(${expression})` : expression,
      time: timeS,
      limit: seriesMax,
    },
    signal,
  );
  const items = data.resultType === "vector" ? data.result : [];
  return {
    data,
    labels: items.map((item) => item.metric),
    samples: range
      ? items.reduce((sum, item) => sum + parseValue(item.value?.[1] ?? "0"), 0)
      : undefined,
    cut: items.length >= seriesMax,
    tookMs: performance.now() - begun,
  };
}

function labelCounts(labels: LabelSet[]): [string, number][] {
  const values = new Map<string, Set<string>>();
  for (const set of labels) {
    for (const [name, value] of Object.entries(set)) {
      const seen = values.get(name) ?? new Set<string>();
      seen.add(value);
      values.set(name, seen);
    }
  }
  return [...values.entries()]
    .map(([name, seen]): [string, number] => [name, seen.size])
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

function CountBadge(props: { loaded: Loaded<NodeResult | undefined> }) {
  const { data, error, loading } = props.loaded;
  if (error) {
    return (
      <span class="badge err" title={error.message}>
        error
      </span>
    );
  }
  if (!data) return loading ? <span class="spinner" role="status" aria-label="Loading" /> : null;
  if (data.data.resultType === "scalar" || data.data.resultType === "string") {
    return <span class="badge">{data.data.result[1]}</span>;
  }
  const count = data.labels.length;
  return (
    <span class={`badge ${count === 0 ? "pending" : ""}`}>
      {data.cut ? "at least " : ""}
      {count.toLocaleString("en")} series
      {data.samples !== undefined && `, ${formatValue(data.samples)} samples`}
    </span>
  );
}

function NodeRow(props: {
  tree: Tree;
  path: string;
  timeS: number;
  chosen: string;
  choose: (path: string, tree: Tree) => void;
}) {
  const { tree, path, timeS, chosen } = props;
  const literal = isLiteral(tree);
  const loaded = useLoad<NodeResult | undefined>(
    async (signal) => (literal ? undefined : evaluate(tree, timeS, signal)),
    [promql(tree), timeS],
  );
  if (literal) return null;
  const counts = labelCounts(loaded.data?.labels ?? []);
  const parts = childrenOf(tree);
  return (
    <li>
      <button
        type="button"
        class={`node ${chosen === path ? "chosen" : ""}`}
        aria-pressed={chosen === path}
        title={promql(tree)}
        onClick={() => props.choose(path, tree)}
      >
        <code>{headline(tree)}</code>
        <CountBadge loaded={loaded} />
        {loaded.data && <span class="muted">{formatValue(loaded.data.tookMs / 1000, "s")}</span>}
        <span class="muted node-labels">
          {counts
            .slice(0, labelsShown)
            .map(([name, count]) => `${name} ${count}`)
            .join(" · ")}
          {counts.length > labelsShown && ` · ${counts.length - labelsShown} more`}
        </span>
      </button>
      {loaded.error && loaded.error.kind !== "aborted" && (
        <p class="bad node-error">{loaded.error.message}</p>
      )}
      {parts.some((part) => !isLiteral(part)) && (
        <ul class="tree">
          {parts.map((part, at) => (
            <NodeRow
              key={at}
              tree={part}
              path={`${path}.${at}`}
              timeS={timeS}
              chosen={chosen}
              choose={props.choose}
            />
          ))}
        </ul>
      )}
    </li>
  );
}

function Side(props: { sets: LabelSet[]; group: MatchGroup }) {
  const { sets, group } = props;
  if (sets.length === 0) return <span class="muted">none</span>;
  return (
    <>
      {sets.slice(0, 4).map((labels) => (
        <div key={JSON.stringify(labels)}>
          <LabelTags labels={labels} leaveOut={Object.keys(group.labels)} />
          {Object.keys(labels).length === Object.keys(group.labels).length && (
            <span class="muted">the same labels</span>
          )}
        </div>
      ))}
      {sets.length > 4 && <span class="muted">and {sets.length - 4} more</span>}
    </>
  );
}

function Pairs(props: { tree: BinaryTree; matching: Matching; timeS: number }) {
  const { tree, matching, timeS } = props;
  const loaded = useLoad(
    async (signal) => {
      const [left, right] = await Promise.all([
        evaluate(tree.lhs, timeS, signal),
        evaluate(tree.rhs, timeS, signal),
      ]);
      return matchGroups(left.labels, right.labels, matching, tree.op);
    },
    [promql(tree), timeS],
  );
  const groups = loaded.data ?? [];
  const many = groups.filter((group) => group.problem.startsWith("too many")).length;
  const alone = groups.filter((group) => group.problem === "no partner").length;
  return (
    <>
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {loaded.data && (
        <p>
          <b>{groups.length - many - alone}</b> groups pair up
          {alone > 0 && (
            <>
              , <b>{alone}</b> have no partner and give nothing
            </>
          )}
          {many > 0 && (
            <>
              , <b class="bad">{many}</b> have too many series on a side: aggregate them, or say{" "}
              <code>group_left</code> or <code>group_right</code>
            </>
          )}
          .
        </p>
      )}
      {groups.length > 0 && (
        <div class="table-scroll">
          <table>
            <thead>
              <tr>
                <th>Compared labels</th>
                <th>Left</th>
                <th>Right</th>
                <th>
                  <span class="hidden">Trouble</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {groups.slice(0, groupsShown).map((group) => (
                <tr key={group.key}>
                  <td>
                    {Object.keys(group.labels).length === 0 ? (
                      <span class="muted">none</span>
                    ) : (
                      <LabelTags labels={group.labels} />
                    )}
                  </td>
                  <td>
                    <Side sets={group.left} group={group} />
                  </td>
                  <td>
                    <Side sets={group.right} group={group} />
                  </td>
                  <td>
                    {group.problem && (
                      <span class={`badge ${group.problem === "no partner" ? "pending" : "err"}`}>
                        {group.problem}
                      </span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {groups.length > groupsShown && (
            <p class="muted">{groups.length - groupsShown} more groups.</p>
          )}
        </div>
      )}
    </>
  );
}

function Detail(props: { tree: Tree; timeS: number }) {
  const { tree, timeS } = props;
  const expression = promql(tree);
  const loaded = useLoad((signal) => evaluate(tree, timeS, signal), [expression, timeS]);
  const counts = labelCounts(loaded.data?.labels ?? []);
  const matching = tree.type === "binaryExpr" ? tree.matching : null;
  return (
    <div class="detail">
      <div class="expression-line">
        <pre class="expression">{expression}</pre>
        <CopyButton text={expression} title="Copy this part" />
      </div>
      <ul>
        {explanation(tree).map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      {matching && tree.type === "binaryExpr" && (
        <Pairs tree={tree} matching={matching} timeS={timeS} />
      )}
      {counts.length > 0 && (
        <p class="muted">
          Labels, with how many values each has:{" "}
          {counts.map(([name, count]) => `${name} ${count}`).join(", ")}
        </p>
      )}
      {loaded.data && !isRange(tree) && (
        <details open={!matching}>
          <summary>Its result</summary>
          <ResultTable data={loaded.data.data} unit="short" />
        </details>
      )}
    </div>
  );
}

export default function Explain(props: { expression: string; timeS: number }) {
  const { expression, timeS } = props;
  const loaded = useLoad(
    (signal) => post<Tree>("api/v1/parse_query", { query: expression }, signal),
    [expression],
  );
  const [chosen, setChosen] = useState<{ path: string; tree: Tree } | undefined>();
  const tree = loaded.stale ? undefined : loaded.data?.data;
  if (loaded.error && !tree) return <ErrorNotice error={loaded.error} retry={loaded.reload} />;
  if (!tree) return <p class="muted">Taking the query apart …</p>;
  const shown = chosen && promql(tree).includes(promql(chosen.tree)) ? chosen : { path: "0", tree };
  return (
    <div class="explain">
      {isLiteral(tree) ? (
        <Notice kind="empty">A literal has no parts.</Notice>
      ) : (
        <>
          <ul class="tree root">
            <NodeRow
              tree={tree}
              path="0"
              timeS={timeS}
              chosen={shown.path}
              choose={(path, part) => setChosen({ path, tree: part })}
            />
          </ul>
          <Detail tree={shown.tree} timeS={timeS} />
        </>
      )}
    </div>
  );
}
