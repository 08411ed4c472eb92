// SPDX-License-Identifier: Apache-2.0
// Sends series by remote write: protobuf as its specification has it, snappy with literals only.

export interface NativeHistogram {
  schema: number;
  sum: number;
  zeroCount: number;
  positive: number[]; // counts of the buckets from the first on
  firstBucket: number;
}
export interface Series {
  labels: Record<string, string>;
  samples?: [timeMs: number, value: number][];
  histograms?: [timeMs: number, histogram: NativeHistogram][];
}

class Message {
  private readonly parts: Buffer[] = [];

  varint(field: number, value: number | bigint): this {
    this.parts.push(varint(BigInt(field) << 3n), varint(BigInt.asUintN(64, BigInt(value))));
    return this;
  }
  zigzag(field: number, value: number): this {
    return this.varint(field, value < 0 ? -2 * value - 1 : 2 * value);
  }
  double(field: number, value: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.parts.push(varint((BigInt(field) << 3n) | 1n), bytes);
    return this;
  }
  bytes(field: number, value: Uint8Array | string): this {
    const bytes = Buffer.from(value);
    this.parts.push(varint((BigInt(field) << 3n) | 2n), varint(BigInt(bytes.length)), bytes);
    return this;
  }
  done(): Buffer {
    return Buffer.concat(this.parts);
  }
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function histogramMessage(timeMs: number, h: NativeHistogram): Buffer {
  const message = new Message()
    .varint(1, h.zeroCount + h.positive.reduce((a, b) => a + b, 0))
    .double(3, h.sum)
    .zigzag(4, h.schema)
    .double(5, 2 ** -128)
    .varint(6, h.zeroCount)
    .bytes(11, new Message().zigzag(1, h.firstBucket).varint(2, h.positive.length).done());
  let before = 0;
  for (const count of h.positive) {
    message.zigzag(12, count - before);
    before = count;
  }
  return message.varint(15, timeMs).done();
}

function seriesMessage(series: Series): Buffer {
  const message = new Message();
  const names = Object.keys(series.labels).sort((a, b) => (a < b ? -1 : 1));
  for (const name of names) {
    const value = series.labels[name] ?? "";
    message.bytes(1, new Message().bytes(1, name).bytes(2, value).done());
  }
  for (const [timeMs, value] of series.samples ?? []) {
    message.bytes(2, new Message().double(1, value).varint(2, timeMs).done());
  }
  for (const [timeMs, histogram] of series.histograms ?? []) {
    message.bytes(4, histogramMessage(timeMs, histogram));
  }
  return message.done();
}

function snappy(plain: Buffer): Buffer {
  const parts = [varint(BigInt(plain.length))];
  const pieceMax = 65_536;
  for (let at = 0; at < plain.length; at += pieceMax) {
    const piece = plain.subarray(at, at + pieceMax);
    const head = Buffer.alloc(3);
    head[0] = 61 << 2; // a literal whose length stands in the next two bytes
    head.writeUInt16LE(piece.length - 1, 1);
    parts.push(head, piece);
  }
  return Buffer.concat(parts);
}

export async function remoteWrite(url: string, all: Series[]): Promise<void> {
  const atOnce = 1000;
  for (let at = 0; at < all.length; at += atOnce) {
    const request = new Message();
    for (const series of all.slice(at, at + atOnce)) request.bytes(1, seriesMessage(series));
    const response = await fetch(`${url}api/v1/write`, {
      method: "POST",
      headers: {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
      },
      body: new Uint8Array(snappy(request.done())),
    });
    if (!response.ok) throw new Error(`remote write: ${response.status} ${await response.text()}`);
  }
}
