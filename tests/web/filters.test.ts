// SPDX-License-Identifier: Apache-2.0
import {
  addFilters,
  decodeFilter,
  encodeFilter,
  type LabelFilter,
  matchesLabels,
  readFilters,
} from "../../src/web/app/dashboard/filters";

const job: LabelFilter[] = [{ label: "job", op: "=", value: "a" }];

describe("label filters", () => {
  it.each([
    ["up", 'up{job="a"}'],
    ["up{}", 'up{job="a"}'],
    ['up{x="1"}', 'up{x="1", job="a"}'],
    ['up{x="1",}', 'up{x="1", job="a"}'],
    ['up{x="}"}', 'up{x="}", job="a"}'],
    ['{__name__="up"}', '{__name__="up", job="a"}'],
    ["rate(x_total[5m])", 'rate(x_total{job="a"}[5m])'],
    ["sum by (job, up) (rate(x[5m:1m]))", 'sum by (job, up) (rate(x{job="a"}[5m:1m]))'],
    ["sum(x) by (le) > 0", 'sum(x{job="a"}) by (le) > 0'],
    ["a / on(x) group_left(y) b", 'a{job="a"} / on(x) group_left(y) b{job="a"}'],
    ["a / on (x) group_left b", 'a{job="a"} / on (x) group_left b{job="a"}'],
    ["a offset 5m and b @ end()", 'a{job="a"} offset 5m and b{job="a"} @ end()'],
    ["a > bool 1e3 + Inf", 'a{job="a"} > bool 1e3 + Inf'],
    ["vector(1) or x:y:z", 'vector(1) or x:y:z{job="a"}'],
    [
      'label_replace(up, "a", "$1", "b", "(up)")',
      'label_replace(up{job="a"}, "a", "$1", "b", "(up)")',
    ],
    ["sum (x)", 'sum (x{job="a"})'],
    ["x # the {up} of it\n", 'x{job="a"} # the {up} of it\n'],
    ["up{", 'up{job="a"}'],
    ["0x1F + 5m", "0x1F + 5m"],
  ])("are added to the selectors of %s", (from, to) => {
    expect(addFilters(from, job)).toBe(to);
  });
  it("quote their values", () => {
    const filter: LabelFilter = { label: "x", op: "=~", value: 'a"\\b\n' };
    expect(addFilters("up", [filter])).toBe('up{x=~"a\\"\\\\b\\n"}');
  });
  it("go through the URL and back, and refuse what is none", () => {
    const filter: LabelFilter = { label: "x", op: "!~", value: "a|b" };
    expect(decodeFilter(encodeFilter(filter))).toEqual(filter);
    for (const bad of ["", "x", "x|=", "a b|=|c", "x|==|c", '"|=|x']) {
      expect(decodeFilter(bad)).toBeUndefined();
    }
  });
  it("choose label sets as selectors do", () => {
    const filters = readFilters('{severity="critical", team=~"a|b", x!="", y!~"z.*"}');
    expect(filters).toHaveLength(4);
    expect(matchesLabels(filters, { severity: "critical", team: "b", x: "1" })).toBe(true);
    expect(matchesLabels(filters, { severity: "critical", team: "ab", x: "1" })).toBe(false);
    expect(matchesLabels(filters, { severity: "critical", team: "a" })).toBe(false);
    expect(matchesLabels([{ label: "a", op: "=~", value: "(" }], { a: "(" })).toBe(false);
  });
});
