// SPDX-License-Identifier: Apache-2.0
// Answers of range queries are nearly all samples, and as arrays of pairs those cost more to make and
// to keep than to draw. Here they stay text: a chart reads their numbers from there (eachSample), and
// who asks an item for its `values` gets the pairs, made at that moment.
import type { MatrixItem, SamplePair } from "./api";
import { parseValue } from "./number";

// Nothing else in an answer looks like it: within a string the quotes would be escaped, and what
// follows a label's name is a string.
const opening = '"values":[[';
const keyLength = '"values":'.length;

const texts = new WeakMap<MatrixItem, string>();

// How the API's envelope around a matrix begins; any other is read as it is.
const matrix = /^\s*\{"status":"success","data":\{"resultType":"matrix"/;

// Like JSON.parse, for the API's envelope around a matrix or anything else.
export function parseAnswer(text: string): unknown {
  if (!matrix.test(text)) return JSON.parse(text);
  const samples: string[] = [];
  const rest: string[] = [];
  let from = 0;
  for (let at = text.indexOf(opening); at >= 0; at = text.indexOf(opening, from)) {
    const begin = at + keyLength;
    const end = text.indexOf("]]", begin) + 2; // samples are numbers, and text without brackets
    if (end < 2) return JSON.parse(text);
    rest.push(text.slice(from, begin), String(samples.length));
    samples.push(text.slice(begin, end));
    from = end;
  }
  if (samples.length === 0) return JSON.parse(text);
  rest.push(text.slice(from));
  const answer = JSON.parse(rest.join("")) as { data?: { result?: MatrixItem[] } };
  for (const item of answer.data?.result ?? []) {
    const own = samples[item.values as unknown as number];
    if (own !== undefined) keepText(item, own);
  }
  return answer;
}

function keepText(item: MatrixItem, text: string): void {
  texts.set(item, text);
  Object.defineProperty(item, "values", {
    configurable: true,
    enumerable: true,
    get: () => {
      const value = JSON.parse(text) as SamplePair[];
      texts.delete(item);
      Object.defineProperty(item, "values", { value, enumerable: true });
      return value;
    },
  });
}

// Calls `take` with each sample's time, in seconds, and value, in their order.
export function eachSample(item: MatrixItem, take: (timeS: number, value: number) => void): void {
  const text = texts.get(item);
  if (text === undefined) {
    for (const [time, value] of item.values ?? []) take(time, parseValue(value));
    return;
  }
  // [[1700000000,"1"],[1700000015.5,"NaN"]]
  for (let at = 2; at < text.length; ) {
    const comma = text.indexOf(",", at);
    const close = text.indexOf('"', comma + 2);
    if (comma < 0 || close < 0) return; // not as the API writes it
    take(readNumber(text, at, comma), readNumber(text, comma + 2, close));
    at = close + 4; // "],[
  }
}

const zero = 48;
const point = 46;
const tens = Array.from({ length: 16 }, (_, power) => 10 ** power);

// What parseValue() gives for text[from, to). Plain decimals of up to 15 digits are two exact numbers,
// whose quotient is the nearest one; the rest is left to Number().
function readNumber(text: string, from: number, to: number): number {
  const negative = text.charCodeAt(from) === 45;
  const begin = negative ? from + 1 : from;
  let digits = 0;
  let fraction = -1; // where it begins
  const plain = to - begin <= 15 && to > begin;
  for (let at = begin; plain && at < to; ++at) {
    const code = text.charCodeAt(at);
    if (code === point && fraction < 0) fraction = at + 1;
    else if (code >= zero && code <= zero + 9) digits = 10 * digits + (code - zero);
    else return parseValue(text.slice(from, to));
  }
  if (!plain) return parseValue(text.slice(from, to));
  const value = fraction < 0 ? digits : digits / (tens[to - fraction] ?? 1);
  return negative ? -value : value;
}
