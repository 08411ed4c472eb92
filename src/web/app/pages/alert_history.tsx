// SPDX-License-Identifier: Apache-2.0
// When a rule's alerts were pending and firing, as a state timeline.
import { type LabelSet, rangeQuery } from "../lib/api";
import { quote } from "../lib/labels";
import { useLoad } from "../lib/load";
import { zone } from "../lib/settings";
import { alignedSteps, formatTime, resolveRange, stepFor, type TimeRange } from "../lib/time";
import { LabelTags } from "../parts/labels";
import { ErrorNotice } from "../parts/notice";
import { Spans } from "../parts/spans";
import { alertHistories, isOfRule } from "./alert_spans";

const rowsMax = 30;

export function AlertHistoryView(props: {
  name: string;
  ruleLabels: LabelSet;
  range: TimeRange;
  refreshMs: number;
}) {
  const { name, ruleLabels, range } = props;
  const loaded = useLoad(
    async (signal) => {
      const resolved = resolveRange(range, Date.now(), zone.value);
      if (!resolved) return undefined;
      const steps = alignedSteps(resolved, stepFor(resolved, 900));
      const answer = await rangeQuery(`ALERTS{alertname=${quote(name)}}`, steps, signal);
      const matrix = answer.data.resultType === "matrix" ? answer.data.result : [];
      return {
        resolved,
        histories: alertHistories(
          matrix.filter((item) => isOfRule(item.metric, ruleLabels)),
          steps,
          (from, to) => `${formatTime(from, zone.value)} to ${formatTime(to, zone.value)}`,
        ),
      };
    },
    [name, JSON.stringify(ruleLabels), range.from, range.to, zone.value],
    props.refreshMs,
  );
  const { data } = loaded;
  const leftOut = ["alertname", ...Object.keys(ruleLabels)];
  return (
    <div class="alert-history">
      {loaded.error && <ErrorNotice error={loaded.error} />}
      {!data && !loaded.error && <p class="muted">Looking at its history …</p>}
      {data && data.histories.length === 0 && (
        <p class="muted">Neither pending nor firing in this time.</p>
      )}
      {data && data.histories.length > 0 && (
        <Spans
          label={`History of ${name}`}
          fromMs={data.resolved.fromMs}
          toMs={data.resolved.toMs}
          rows={data.histories.slice(0, rowsMax).map((history) => ({
            key: history.key,
            name: <LabelTags labels={history.labels} leaveOut={leftOut} />,
            spans: history.spans,
          }))}
        />
      )}
      {data && data.histories.length > rowsMax && (
        <p class="muted">
          {data.histories.length - rowsMax} more alerts, which fired for a shorter time.
        </p>
      )}
    </div>
  );
}
