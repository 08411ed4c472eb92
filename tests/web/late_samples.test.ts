// SPDX-License-Identifier: Apache-2.0
import type { MatrixItem } from "../../src/web/app/lib/api";
import { eachSample, parseAnswer } from "../../src/web/app/lib/late_samples";

interface Envelope {
  warnings?: string[];
  data: { result: MatrixItem[] };
}
const parsed = (text: string) => parseAnswer(text) as Envelope;
const answer = (result: unknown[], warnings: string[] = []) =>
  JSON.stringify({ status: "success", data: { resultType: "matrix", result }, warnings });
const read = (item: MatrixItem | undefined) => {
  const samples: [number, number][] = [];
  if (item) eachSample(item, (timeS, value) => samples.push([timeS, value]));
  return samples;
};

test("an answer is what JSON.parse gives, whatever labels and warnings contain", () => {
  const hostile = '"values":[[1,"2"]]';
  const text = answer(
    [
      { metric: { path: hostile, [hostile]: "]]", values: "[[" }, values: [[1, "2"]] },
      { metric: {}, values: [] },
      { metric: { a: "b" }, histograms: [[1, { count: "3", sum: "4" }]] },
      {
        metric: {},
        values: [
          [1.5, "NaN"],
          [2, "-Inf"],
        ],
        histograms: [[3, { count: "1", sum: "1", buckets: [[0, "1", "2", "3"]] }]],
      },
    ],
    [`ignored ${hostile}`],
  );
  expect(JSON.stringify(parsed(text))).toBe(JSON.stringify(JSON.parse(text)));
  expect(parseAnswer('{"status":"error","error":"values"}')).toEqual({
    status: "error",
    error: "values",
  });
  expect(() => parseAnswer('{"values":[[')).toThrow();
  const board = { status: "success", data: { values: [[1, "2"]], result: 3 } };
  expect(parseAnswer(JSON.stringify(board))).toEqual(board);
});

test("numbers are read from the text as Number() reads them", () => {
  const texts = [
    "0",
    "-0",
    "1",
    "-12.5",
    "0.1",
    "-0.000001",
    "123456789012345",
    "0.30000000000004",
  ];
  texts.push(
    "999999999999.99",
    "1e+21",
    "1.7976931348623157e+308",
    "5e-324",
    "1234567890123456789",
  );
  texts.push("0.1234567890123456", "+Inf", "-Inf", "NaN");
  for (let at = 0; at < 2000; ++at)
    texts.push(String(Number((Math.sin(at) * 10 ** (at % 12)).toFixed(at % 9))));
  const values = texts.map((text, at) => [1700000000 + at / 1000, text]);
  const samples = read(parsed(answer([{ metric: {}, values }])).data.result[0]);
  expect(samples.length).toBe(texts.length);
  samples.forEach(([timeS, value], at) => {
    const text = texts[at] ?? "";
    const wanted = text.endsWith("Inf") ? Number(text.replace("Inf", "Infinity")) : Number(text);
    expect([timeS, value]).toStrictEqual([values[at]?.[0], wanted]);
  });
});

test("samples read alike before and after somebody asked for the pairs", () => {
  const item = parsed(answer([{ metric: {}, values: [[10, "1.5"]] }])).data.result[0];
  expect(read(item)).toEqual([[10, 1.5]]);
  expect(item?.values).toEqual([[10, "1.5"]]);
  expect(item?.values).toBe(item?.values);
  expect(read(item)).toEqual([[10, 1.5]]);
  expect(read({ metric: {} })).toEqual([]);
});
