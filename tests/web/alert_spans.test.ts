// SPDX-License-Identifier: Apache-2.0
import { alertHistories, isOfRule } from "../../src/web/app/pages/alert_spans";

const range = { startS: 0, endS: 60, stepS: 10 };
const at = (...times: number[]) => times.map((t): [number, string] => [t, "1"]);

test("pending and firing become stretches; firing counts where both are", () => {
  const base = { __name__: "ALERTS", alertname: "A", instance: "x" };
  const [history] = alertHistories(
    [
      { metric: { ...base, alertstate: "firing" }, values: at(20, 30, 60) },
      { metric: { ...base, alertstate: "pending" }, values: at(0, 10, 20) },
    ],
    range,
    (from, to) => `${from}-${to}`,
  );
  expect(history?.labels).toEqual({ alertname: "A", instance: "x" });
  expect(history?.spans.map((s) => [s.kind, s.fromMs, s.toMs])).toEqual([
    ["pending", 0, 20_000],
    ["firing", 20_000, 40_000],
    ["firing", 60_000, 70_000],
  ]);
  expect(history?.firingMs).toBe(30_000);
  expect(history?.spans[1]?.title).toBe("firing for 20s\n20000-40000");
});

test("each label set is an alert, the one that fired longest first", () => {
  const metric = (instance: string) => ({ alertstate: "firing", instance });
  const histories = alertHistories(
    [
      { metric: metric("short"), values: at(0) },
      { metric: metric("long"), values: at(0, 10) },
      { metric: metric("never"), values: [] },
    ],
    range,
    () => "",
  );
  expect(histories.map((h) => h.labels.instance)).toEqual(["long", "short"]);
});

test("alerts of a rule of the same name with other labels are left out", () => {
  expect(isOfRule({ severity: "page", a: "b" }, { severity: "page" })).toBe(true);
  expect(isOfRule({ severity: "ticket" }, { severity: "page" })).toBe(false);
  expect(isOfRule({ team: "x" }, { team: "{{ $labels.team }}" })).toBe(true);
});
