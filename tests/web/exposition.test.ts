// SPDX-License-Identifier: Apache-2.0
import { parseExposition, sumOf } from "../../src/web/app/lib/exposition";

const text = `# HELP a Something.
# TYPE a gauge
a{x="1",y="q\\"\\\\ \\n}"} 1.5
a{x="2"} +Inf 1700000000000
b 3e2
{} 1
c{} NaN
`;

test("samples of a metrics page with their labels", () => {
  expect(parseExposition(text)).toEqual([
    { name: "a", labels: { x: "1", y: 'q"\\ \n}' }, value: 1.5 },
    { name: "a", labels: { x: "2" }, value: Number.POSITIVE_INFINITY },
    { name: "b", labels: {}, value: 300 },
    { name: "c", labels: {}, value: Number.NaN },
  ]);
});

test("a sum over the series of a name, or nothing", () => {
  const samples = parseExposition('m{o="a"} 1\nm{o="b"} 2\n');
  expect(sumOf(samples, "m")).toBe(3);
  expect(sumOf(samples, "n")).toBeUndefined();
});
