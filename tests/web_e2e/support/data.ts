// SPDX-License-Identifier: Apache-2.0
// The data that the tests see: one hour up to `endMs`, the same in every run but for its date. Two
// machines, a shop with requests, and what makes a dashboard stumble.
import type { Series } from "./remote_write";

export const hostile = `<script>alert(1)</script><img src=x onerror="alert(2)">{{x}} "quoted" \\ é`;
export const manySeries = 10_000;

const stepS = 15;
const steps = 240;

type Shape = (at: number) => number; // of the step, 0..steps

class Hour {
  readonly all: Series[] = [];
  private readonly startMs: number;

  constructor(endMs: number) {
    this.startMs = endMs - steps * stepS * 1000;
  }
  timeMs(at: number): number {
    return this.startMs + at * stepS * 1000;
  }
  gauge(name: string, labels: Record<string, string>, shape: Shape): void {
    const samples = Array.from({ length: steps + 1 }, (_, at): [number, number] => [
      this.timeMs(at),
      shape(at),
    ]);
    this.all.push({ labels: { __name__: name, ...labels }, samples });
  }
  // A counter that grows by `perSecond`, from a value that is not zero.
  counter(name: string, labels: Record<string, string>, perSecond: Shape): void {
    let sum = 1000;
    this.gauge(name, labels, (at) => {
      sum += Math.max(perSecond(at), 0) * stepS;
      return Math.round(sum * 1000) / 1000;
    });
  }
}

// Noise in 0..1 that looks like chance and is not.
function noise(seed: number, at: number): number {
  let x = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(at + 7, 0x85ebca6b)) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) >>> 0;
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39) >>> 0;
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}
const wave = (seed: number, from: number, to: number, turns = 2): Shape => {
  const span = to - from;
  return (at) =>
    from +
    span *
      (0.5 + 0.35 * Math.sin((2 * Math.PI * turns * at) / steps + seed) + 0.15 * noise(seed, at));
};

function machine(hour: Hour, instance: string, seed: number): void {
  const labels = { job: "node", instance };
  const gib = 2 ** 30;
  const modes = { user: 0.3, system: 0.1, iowait: 0.05, softirq: 0.02, steal: 0.01 };
  for (const cpu of ["0", "1", "2", "3"]) {
    let at = 0;
    for (const [mode, most] of Object.entries(modes)) {
      const shape = wave(seed + Number(cpu) + at++, most * 0.2, most);
      hour.counter("node_cpu_seconds_total", { ...labels, cpu, mode }, shape);
    }
    hour.counter("node_cpu_seconds_total", { ...labels, cpu, mode: "idle" }, wave(seed, 0.5, 0.8));
  }
  hour.gauge("up", labels, () => 1);
  hour.gauge("node_boot_time_seconds", labels, () => hour.timeMs(0) / 1000 - 12 * 86_400);
  hour.gauge("node_memory_MemTotal_bytes", labels, () => 16 * gib);
  hour.gauge("node_memory_MemAvailable_bytes", labels, wave(seed, 5 * gib, 9 * gib));
  hour.gauge("node_memory_MemFree_bytes", labels, wave(seed + 1, gib, 2 * gib));
  hour.gauge("node_memory_Cached_bytes", labels, wave(seed + 2, 3 * gib, 5 * gib));
  hour.gauge("node_memory_Buffers_bytes", labels, wave(seed + 3, gib / 4, gib / 2));
  for (const [mountpoint, size] of [
    ["/", 80],
    ["/home", 400],
    ["/var/lib/postgresql", 1200],
  ] as const) {
    const disk = { ...labels, mountpoint, device: `/dev/vd${size % 7}`, fstype: "ext4" };
    hour.gauge("node_filesystem_size_bytes", disk, () => size * gib);
    hour.gauge(
      "node_filesystem_avail_bytes",
      disk,
      wave(seed + size, size * gib * 0.2, size * gib * 0.5),
    );
  }
  for (const device of ["eth0", "eth1"]) {
    const net = { ...labels, device };
    hour.counter("node_network_receive_bytes_total", net, wave(seed + 4, 1e5, 8e6, 5));
    hour.counter("node_network_transmit_bytes_total", net, wave(seed + 5, 1e5, 3e6, 3));
  }
  for (const device of ["vda", "vdb"]) {
    const disk = { ...labels, device };
    hour.counter("node_disk_read_bytes_total", disk, wave(seed + 6, 0, 2e7, 7));
    hour.counter("node_disk_written_bytes_total", disk, wave(seed + 7, 1e6, 4e7, 4));
    hour.counter("node_disk_io_time_seconds_total", disk, wave(seed + 8, 0, 0.7, 4));
  }
  for (const what of ["cpu", "memory", "io"]) {
    hour.counter(`node_pressure_${what}_waiting_seconds_total`, labels, wave(seed + 9, 0, 0.2, 6));
  }
  for (const minutes of [1, 5, 15]) {
    hour.gauge(`node_load${minutes}`, labels, wave(seed + 10, 0.5, 4, 16 / minutes));
  }
}

function shop(hour: Hour, instance: string, seed: number): void {
  const labels = { job: "shop", instance };
  const bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];
  for (const [code, most] of [
    ["200", 90],
    ["404", 6],
    ["500", 2],
  ] as const) {
    for (const method of ["GET", "POST"]) {
      const shape = wave(seed + most, most * 0.4, most);
      hour.counter("http_requests_total", { ...labels, code, method }, shape);
    }
  }
  bounds.forEach((le, at) => {
    const share = 1 / (1 + Math.exp(4 - at));
    const shape = wave(seed, 60 * share, 120 * share);
    hour.counter("http_request_duration_seconds_bucket", { ...labels, le }, shape);
  });
  hour.counter("http_request_duration_seconds_sum", labels, wave(seed, 5, 12));
  hour.counter("http_request_duration_seconds_count", labels, wave(seed, 60, 120));
  hour.gauge("shop_state", labels, (at) => Math.floor(at / 40 + seed) % 3);
  const sums = new Array<number>(12).fill(0);
  hour.all.push({
    labels: { __name__: "shop_latency_seconds", ...labels },
    histograms: Array.from({ length: steps + 1 }, (_, at) => {
      for (let b = 0; b < sums.length; ++b) {
        const middle = 5 + 3 * Math.sin(at / 30 + seed);
        sums[b] = (sums[b] ?? 0) + Math.round(40 * Math.exp(-((b - middle) ** 2) / 4));
      }
      const positive = [...sums];
      const sum = positive.reduce((total, count, b) => total + count * 2 ** (b / 2 - 6), 0);
      return [hour.timeMs(at), { schema: 1, sum, zeroCount: at, positive, firstBucket: -11 }];
    }),
  });
}

export function testData(endMs: number): Series[] {
  const hour = new Hour(endMs);
  machine(hour, "web-1:9100", 1);
  machine(hour, "web-2:9100", 20);
  shop(hour, "shop-1:8080", 3);
  shop(hour, "shop-2:8080", 5);
  for (let at = 0; at < 100; ++at) {
    const pod = `pod-${String(at).padStart(3, "0")}`;
    hour.gauge("pod_memory_bytes", { pod }, wave(at, 1e8 + at * 1e6, 3e8 + at * 4e6, 1 + (at % 5)));
  }
  hour.gauge("edge", { kind: "nan" }, () => Number.NaN);
  hour.gauge("edge", { kind: "+inf" }, () => Number.POSITIVE_INFINITY);
  hour.gauge("edge", { kind: "-inf" }, () => Number.NEGATIVE_INFINITY);
  hour.gauge("edge", { kind: "now and then" }, (at) => (at % 20 < 5 ? Number.NaN : at));
  hour.gauge("edge", { kind: "huge" }, (at) => (at % 2 ? 1e300 : -1e300));
  hour.gauge("hostile", { path: hostile, other: "a\nb" }, wave(1, 0, 1));
  for (let at = 0; at < manySeries; ++at) {
    const labels = { __name__: "many", n: String(at).padStart(5, "0"), group: String(at % 10) };
    const times = [4, 3, 2, 1, 0].map((back) => endMs - back * 60_000);
    hour.all.push({ labels, samples: times.map((t) => [t, at + ((t / 60_000) % 7)]) });
  }
  return hour.all;
}
