// SPDX-License-Identifier: Apache-2.0
import { fixedState, readState, writeState } from "../../src/web/app/explore/state";

test("what is written is read again", () => {
  const state = readState(
    new URLSearchParams(
      "g0.expr=up&g0.tab=table&g1.expr=rate(x[5m])&g1.mode=stacked&g1.log=1&g1.unit=bytes&g1.tab=explain&g1.exemplars=1&from=now-6h&to=now&step=30&refresh=15&columns=2",
    ),
  );
  expect(state.queries).toHaveLength(2);
  expect(state.queries[1]).toMatchObject({ mode: "stacked", log: true, unit: "bytes" });
  expect(state.queries[1]).toMatchObject({ view: "explain", exemplars: true });
  expect(state.columns).toBe(2);
  expect(state.stepS).toBe(30);
  expect(readState(writeState(state))).toEqual(state);
});

test("links made for Prometheus's page are understood", () => {
  const state = readState(
    new URLSearchParams("g0.expr=up&g0.tab=1&g0.range_input=2h&g0.end_input=2026-11-21 12:00:00"),
  );
  expect(state.queries[0]).toMatchObject({ expression: "up", view: "table" });
  expect(state.range).toEqual({
    from: "2026-11-21T10:00:00.000Z",
    to: "2026-11-21T12:00:00.000Z",
  });
});

test("nothing and nonsense give a usable page", () => {
  for (const text of ["", "g0.tab=9", "step=-1&refresh=x", "g0.expr=up&g0.mode=evil"]) {
    const state = readState(new URLSearchParams(text));
    expect(state.queries).toHaveLength(1);
    expect(state.queries[0]?.mode).toBe("line");
    expect(state.stepS).toBeUndefined();
    expect(state.refreshS).toBe(0);
  }
});

test("a link to these very times does not move", () => {
  const state = readState(new URLSearchParams("g0.expr=up&from=now-1h&to=now&refresh=5"));
  const fixed = fixedState(state, { fromMs: 0, toMs: 3_600_000 });
  expect(fixed.range).toEqual({ from: "1970-01-01T00:00:00.000Z", to: "1970-01-01T01:00:00.000Z" });
  expect(fixed.refreshS).toBe(0);
  expect(readState(writeState(fixed))).toEqual(fixed);
});
