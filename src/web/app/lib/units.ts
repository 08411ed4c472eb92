// SPDX-License-Identifier: Apache-2.0
// Numbers with units, short enough for an axis. Unit names are Grafana's where it has one, so that
// imported dashboards and our own speak alike.
import { formatDuration } from "./time";

interface Scale {
  factor: number;
  suffixes: string[];
  space: boolean;
}

const si: Scale = { factor: 1000, suffixes: ["", "k", "M", "G", "T", "P", "E"], space: false };
const scaled = (suffixes: string[], factor: number): Scale => ({ factor, suffixes, space: true });
const scales: Record<string, Scale> = {
  short: si,
  bytes: scaled(["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], 1024),
  decbytes: scaled(["B", "kB", "MB", "GB", "TB", "PB", "EB"], 1000),
  bits: scaled(["b", "Kib", "Mib", "Gib", "Tib", "Pib", "Eib"], 1024),
  decbits: scaled(["b", "kb", "Mb", "Gb", "Tb", "Pb", "Eb"], 1000),
  Bps: scaled(["B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s", "EB/s"], 1000),
  binBps: scaled(["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s", "PiB/s", "EiB/s"], 1024),
  bps: scaled(["b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s", "Pb/s", "Eb/s"], 1000),
  eps: scaled(["evt/s", "kevt/s", "Mevt/s", "Gevt/s", "Tevt/s", "Pevt/s", "Eevt/s"], 1000),
  hertz: scaled(["Hz", "kHz", "MHz", "GHz", "THz", "PHz", "EHz"], 1000),
  watt: scaled(["W", "kW", "MW", "GW", "TW", "PW", "EW"], 1000),
  ops: scaled(["ops/s", "kops/s", "Mops/s", "Gops/s", "Tops/s", "Pops/s", "Eops/s"], 1000),
  reqps: scaled(["req/s", "kreq/s", "Mreq/s", "Greq/s", "Treq/s", "Preq/s", "Ereq/s"], 1000),
};

// Fixed suffixes for units that are not scaled.
const plain: Record<string, string> = {
  none: "",
  celsius: " °C",
  volt: " V",
  amp: " A",
  rotrpm: " rpm",
  pps: " p/s",
  iops: " io/s",
  rps: " r/s",
};

export const unitNames = [
  "short",
  "none",
  "percent",
  "percentunit",
  "s",
  "ms",
  "bytes",
  "decbytes",
  "bits",
  "decbits",
  "Bps",
  "binBps",
  "bps",
  "ops",
  "reqps",
  "hertz",
  "watt",
  "celsius",
  "volt",
  "amp",
  "rotrpm",
  "pps",
  "iops",
  "dateTimeAsIso",
];

function digits(value: number, decimals: number | undefined): string {
  if (decimals !== undefined) return value.toFixed(Math.min(Math.max(decimals, 0), 15));
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  if (magnitude >= 1000) return value.toFixed(0);
  if (magnitude < 0.001) return value.toPrecision(3).replace(/\.?0+(e|$)/, "$1");
  return String(Number(value.toPrecision(4)));
}

function scale(value: number, scale: Scale, decimals: number | undefined): string {
  let at = 0;
  let rest = value;
  while (Math.abs(rest) >= scale.factor && at + 1 < scale.suffixes.length) {
    rest /= scale.factor;
    ++at;
  }
  const suffix = scale.suffixes[at] ?? "";
  return digits(rest, decimals) + (scale.space && suffix ? " " : "") + suffix;
}

function seconds(value: number, decimals: number | undefined): string {
  const magnitude = Math.abs(value);
  if (magnitude === 0) return "0 s";
  if (magnitude < 1e-6) return `${digits(value * 1e9, decimals)} ns`;
  if (magnitude < 1e-3) return `${digits(value * 1e6, decimals)} µs`;
  if (magnitude < 1) return `${digits(value * 1e3, decimals)} ms`;
  if (magnitude < 120) return `${digits(value, decimals)} s`;
  return formatDuration(Math.round(value) * 1000, 2);
}

export function formatValue(value: number, unit = "short", decimals?: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  switch (unit) {
    case "percent":
      return `${digits(value, decimals)} %`;
    case "percentunit":
      return `${digits(value * 100, decimals)} %`;
    case "s":
      return seconds(value, decimals);
    case "ms":
      return seconds(value / 1000, decimals);
    case "µs":
      return seconds(value / 1e6, decimals);
    case "ns":
      return seconds(value / 1e9, decimals);
    case "dateTimeAsIso":
      return new Date(value).toISOString();
  }
  const known = scales[unit];
  if (known) return scale(value, known, decimals);
  const suffix = plain[unit];
  return digits(value, decimals) + (suffix ?? (unit ? ` ${unit}` : ""));
}

// Distances between an axis's ticks for units whose round numbers are not those of ten: powers of
// two for bytes in steps of 1024, minutes and hours for seconds. undefined: powers of ten are right.
export function increments(unit: string): number[] | undefined {
  if (scales[unit]?.factor === 1024) return Array.from({ length: 63 }, (_, i) => 2 ** i);
  if (unit !== "s") return undefined;
  const below: number[] = [];
  for (let power = -9; power < 0; ++power) {
    for (const digit of [1, 2, 5]) below.push(Number(`${digit}e${power}`));
  }
  const days = Array.from({ length: 20 }, (_, i) => 86_400 * 2 ** i);
  return [...below, ...[1, 2, 5, 10, 15, 30], ...[1, 2, 5, 10, 15, 30].map((m) => 60 * m)].concat(
    [1, 2, 3, 6, 12].map((h) => 3600 * h),
    days,
  );
}
