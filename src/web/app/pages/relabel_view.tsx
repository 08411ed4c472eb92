// SPDX-License-Identifier: Apache-2.0
// One target's way through relabelling: its labels before, each rule with what it changed, and what
// came of it.
import { get, type LabelSet } from "../lib/api";
import { useLoad } from "../lib/load";
import { LabelTags } from "../parts/labels";
import { ErrorNotice, Notice } from "../parts/notice";
import {
  type LabelChange,
  labelChanges,
  onlySorts,
  type RelabelStep,
  ruleText,
  ruleYaml,
  stepsTaken,
} from "./relabel";

function Change(props: { change: LabelChange }) {
  const { name, before, after } = props.change;
  const kind = before === undefined ? "added" : after === undefined ? "removed" : "changed";
  const sign = { added: "+", removed: "−", changed: "~" }[kind];
  return (
    <span class={`tag change ${kind}`} title={`${kind}: ${name}`}>
      <span aria-hidden="true">{sign} </span>
      <span class="hidden">{kind} </span>
      <b>{name}</b>={before !== undefined && <s>{before === "" ? '""' : before}</s>}
      {before !== undefined && after !== undefined && " → "}
      {after !== undefined && (after === "" ? '""' : after)}
    </span>
  );
}

function Step(props: { at: number; step: RelabelStep; before: LabelSet }) {
  const { at, step, before } = props;
  const changes = step.keep ? labelChanges(before, step.output ?? {}) : [];
  return (
    <li class={step.keep ? "step" : "step dropped"}>
      <div class="step-head">
        <span class="badge">{at + 1}</span>{" "}
        <span title={ruleYaml(step.rule)}>{ruleText(step.rule)}</span>
      </div>
      {!step.keep && <span class="badge down">dropped here</span>}
      {step.keep && changes.length === 0 && (
        <span class="muted">{onlySorts(step.rule) ? "kept" : "changes nothing"}</span>
      )}
      {changes.length > 0 && (
        <span class="tags">
          {changes.map((change) => (
            <Change key={change.name} change={change} />
          ))}
        </span>
      )}
    </li>
  );
}

export function RelabelView(props: {
  pool: string;
  before: LabelSet;
  after: LabelSet | undefined; // undefined: the target was dropped
}) {
  const { pool, before, after } = props;
  const labels = JSON.stringify(before);
  const loaded = useLoad(
    (signal) =>
      get<{ steps: RelabelStep[] | null }>(
        "api/v1/targets/relabel_steps",
        { scrapePool: pool, labels },
        signal,
      ),
    [pool, labels],
  );
  const all = loaded.data?.data.steps ?? [];
  const steps = stepsTaken(all);
  const dropped = steps.some((step) => !step.keep);
  return (
    <div class="relabel">
      <h3>Discovered</h3>
      <LabelTags labels={before} />
      {loaded.error && <ErrorNotice error={loaded.error} retry={loaded.reload} />}
      {loaded.loading && !loaded.data && <p class="muted">Going through the rules …</p>}
      {loaded.data && steps.length === 0 && (
        <Notice kind="empty">
          The job has no <code>relabel_configs</code>: what was discovered is scraped, without
          labels that begin with two underscores.
        </Notice>
      )}
      {steps.length > 0 && (
        <>
          <h3>Rules, in order</h3>
          <ol class="steps">
            {steps.map((step, at) => (
              <Step
                key={at}
                at={at}
                step={step}
                before={at === 0 ? before : (steps[at - 1]?.output ?? {})}
              />
            ))}
          </ol>
          {all.length > steps.length && (
            <p class="muted">{all.length - steps.length} more rules are not reached.</p>
          )}
        </>
      )}
      {after && !dropped && (
        <>
          <h3>
            Target labels <span class="muted">those with two leading underscores go</span>
          </h3>
          <LabelTags labels={after} />
        </>
      )}
    </div>
  );
}
