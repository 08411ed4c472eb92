#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same work for Varve and, where they are installed, Prometheus and VictoriaMetrics; do their
answers agree, and what did it cost each? Prints a Markdown table of figures and of ratios to Varve.

Engines run one after another, each alone, round by round (--rounds), so that a change of the machine's
mood hits all of them; figures are medians over the rounds. CPU, resident memory and bytes written are
those of the server's process as the kernel counts them.
"""
import argparse
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

HOUR_MS = 3_600_000
INTERVAL_MS = 15_000
PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")

# Sums may be added up in another order.
SAME = 1e-9

# name, query, how: "range:hours:step" or "now"
PANELS = [
    ("CPU by mode, 1 h", "sum by (mode) (rate(host_cpu_seconds_total[2m]))", "range:1:15"),
    ("CPU of a host, 6 h", 'rate(host_cpu_seconds_total{instance="host-0-0:9100"}[5m])', "range:6:60"),
    ("p99 by path, 1 h",
     "histogram_quantile(0.99, sum by (le, path) (rate(http_request_duration_seconds_bucket[5m])))",
     "range:1:15"),
    ("p99 by path, 24 h",
     "histogram_quantile(0.99, sum by (le, path) (rate(http_request_duration_seconds_bucket[5m])))",
     "range:24:300"),
    ("traffic by job, 24 h", "sum by (job) (rate(host_network_receive_bytes_total[5m]))",
     "range:24:300"),
    ("hottest ten", "topk(10, host_temperature_celsius)", "now"),
    ("largest in a day", "max by (zone) (max_over_time(host_temperature_celsius[1d]))", "now"),
    ("ratio of two", "sum(rate(http_request_duration_seconds_sum[5m])) / "
     "sum(rate(http_request_duration_seconds_count[5m]))", "range:6:60"),
    ("all series", 'count({job=~"fleet-.*"})', "now"),
    ("one gauge, 24 h", 'host_memory_area_3_bytes{instance="host-0-0:9100"}', "range:24:60"),
]


class Engine:
    def __init__(self, name, binary, command, compact=()):
        self.name, self.binary, self.command, self.compact = name, binary, command, compact
        self.process = None

    def version(self):
        for flag in ("--version", "-version"):
            done = subprocess.run([self.binary, flag], capture_output=True, text=True, check=False)
            text = (done.stdout + done.stderr).strip()
            if done.returncode == 0 and text:
                return text.splitlines()[0]
        # Debian's victoria-metrics does not say.
        if shutil.which("dpkg-query"):
            done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", os.path.basename(self.binary)],
                                  capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return f"{os.path.basename(self.binary)} {done.stdout} (Debian's package)"
        return "unknown"

    def start(self, directory, port):
        os.makedirs(directory, exist_ok=True)
        config = os.path.join(directory, "empty.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("global: {}\n")
        self.url = f"http://127.0.0.1:{port}"
        self.directory = directory
        data = os.path.join(directory, "data")
        command = [self.binary] + [part.format(data=data, port=port, config=config)
                                   for part in self.command]
        with open(os.path.join(directory, "log"), "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        begin = time.monotonic()
        while time.monotonic() - begin < 300:
            try:
                with urllib.request.urlopen(self.url + "/-/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return time.monotonic() - begin
            except (urllib.error.URLError, OSError):
                pass
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended by itself, see {directory}/log")
            time.sleep(0.005)
        raise RuntimeError(f"{self.name} is not ready after five minutes, see {directory}/log")

    def stop(self, how=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=300)
        self.process = None

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def resident(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * PAGE

    def finish_storage(self):
        for path in self.compact:
            request = urllib.request.Request(self.url + path, method="POST")
            try:
                urllib.request.urlopen(request, timeout=600).read()
            except urllib.error.HTTPError:
                pass
        # Merges in the background: until nothing moves any more.
        before, still = -1, 0
        for _ in range(120):
            now = self.disk()
            still = still + 1 if now == before else 0
            if still == 3:
                break
            before = now
            time.sleep(1)

    def disk(self):
        """Finished storage: without logs, heads and what is set aside for a full disk."""
        total = 0
        for root, folders, names in os.walk(os.path.join(self.directory, "data")):
            folders[:] = [f for f in folders if f not in ("wal", "head", "snap", "chunks_head", "tmp")]
            for name in names:
                if name == "reserve":
                    continue
                try:
                    total += os.stat(os.path.join(root, name)).st_blocks * 512
                except FileNotFoundError:
                    pass
        return total


def find_engines(varve):
    engines = [Engine("Varve", varve, [
        "--config.file={config}", "--storage.tsdb.path={data}", "--web.enable-remote-write-receiver",
        "--web.enable-admin-api", "--web.listen-address=127.0.0.1:{port}",
        "--query.cache-max=0", "--storage.tsdb.retention.time=10y", "--log.level=warn"],
        ["/api/v1/admin/tsdb/compact"])]
    if path := shutil.which("prometheus"):
        engines.append(Engine("Prometheus", path, [
            "--config.file={config}", "--storage.tsdb.path={data}",
            "--web.enable-remote-write-receiver", "--web.enable-admin-api",
            "--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y",
            "--log.level=warn"]))
    if path := shutil.which("victoria-metrics"):
        engines.append(Engine("VictoriaMetrics", path, [
            "-storageDataPath={data}", "-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=10y",
            "-search.disableCache", "-search.latencyOffset=0s", "-loggerLevel=WARN"],
            ["/internal/force_flush", "/internal/force_merge"]))
    return engines


PHASES = ["ingest", "history", "churn"]  # methods of Bench


class Bench:
    def __init__(self, options):
        self.options = options
        # One time for all engines, so that their answers can be compared.
        self.now_ms = int(time.time() * 1000) // INTERVAL_MS * INTERVAL_MS
        self.figures = {}  # (section, row) -> engine -> [values]
        self.units = {}
        self.answers = {}  # panel -> (the first engine, its points)
        self.differences = {}  # engine -> panel -> the largest relative difference to the first one

    def load(self, *arguments):
        done = subprocess.run([self.options.load, *map(str, arguments)], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        result = json.loads(done.stdout)
        if result.get("failed") and isinstance(result["failed"], int):
            print(f"  {result['failed']} requests failed: {result['failure']}", file=sys.stderr)
        return result

    def note(self, section, row, unit, engine, value):
        self.units[(section, row)] = unit
        self.figures.setdefault((section, row), {}).setdefault(engine.name, []).append(value)

    def fresh(self, engine, what):
        directory = os.path.join(self.options.work, f"{engine.name.lower()}-{what}")
        shutil.rmtree(directory, ignore_errors=True)
        engine.start(directory, self.options.port)
        return directory

    def ingest(self, engine):
        """New series, then as fast as accepted, then kill -9 and everything again."""
        series, seconds = self.options.series, self.options.seconds
        directory = self.fresh(engine, "ingest")
        start_ms = self.now_ms - 4 * HOUR_MS
        fleet = ["--url", engine.url + "/api/v1/write", "--series", series, "--start-ms", start_ms]
        before = engine.cpu()
        first = self.load("write", *fleet, "--steps", 1)
        self.note("Ingest", "CPU per new series", "µs", engine,
                  (engine.cpu() - before) / first["samples"] * 1e6)
        before = engine.cpu()
        written = self.load("write", *fleet, "--first-step", 1, "--steps", 900, "--seconds", seconds)
        samples = written["samples"]
        self.note("Ingest", "samples per second", "/s", engine, samples / written["seconds"])
        self.note("Ingest", "CPU per sample", "µs", engine, (engine.cpu() - before) / samples * 1e6)
        self.note("Ingest", "acknowledgement, p99", "ms", engine, written["ack_p99"] * 1000)
        self.note("Ingest", "resident memory per series", "B", engine, engine.resident() / series)
        engine.stop(signal.SIGKILL)
        self.note("Recovery", "ready after kill -9", "s", engine,
                  engine.start(directory, self.options.port))
        found = self.load("check", "--url", engine.url, "--series", series, "--start-ms", start_ms,
                          "--steps", written["next_step"])
        self.note("Recovery", "of 200 series lost or wrong", "samples", engine,
                  found["missing"] + found["wrong"])
        engine.stop()
        shutil.rmtree(directory, ignore_errors=True)

    def history(self, engine):
        """A day and two hours of a smaller fleet: bytes on disk, panels, panels beside writes."""
        series = self.options.history_series
        directory = self.fresh(engine, "history")
        steps = 26 * HOUR_MS // INTERVAL_MS
        end_ms = self.now_ms
        start_ms = end_ms - steps * INTERVAL_MS
        fleet = ["--url", engine.url + "/api/v1/write", "--series", series, "--start-ms", start_ms]
        written = self.load("write", *fleet, "--steps", steps)
        engine.finish_storage()
        self.note("Disk", "bytes per sample", "B", engine, engine.disk() / written["samples"])
        engine.stop()
        engine.start(directory, self.options.port)
        path = os.path.join(directory, "queries")
        with open(path, "w", encoding="utf-8") as file:
            for name, query, how in PANELS:
                # Between two samples: where one is exactly a window old, Prometheus 2 counts it in and
                # Prometheus 3 and Varve do not.
                at = (end_ms - INTERVAL_MS) / 1000 - 7
                if how == "now":
                    line = "/api/v1/query?" + urllib.parse.urlencode({"query": query, "time": at})
                else:
                    _, hours, step = how.split(":")
                    line = "/api/v1/query_range?" + urllib.parse.urlencode(
                        {"query": query, "start": at - int(hours) * 3600, "end": at, "step": step})
                file.write(f"{name}\t{line}\n")
        results = self.load("query", "--url", engine.url, "--queries", path, "--runs",
                            self.options.runs)
        for name, _, _ in PANELS:
            result = results[name]
            self.note("Panels", name, "ms", engine, result["median"] * 1000)
            self.agree(engine, name, result["answer"])
        self.note("Panels", "geometric mean", "ms", engine,
                  math.exp(statistics.fmean(math.log(r["median"] * 1000) for r in results.values())))
        writer = subprocess.Popen(
            [self.options.load, "write", *map(str, fleet), "--first-step", str(steps), "--steps",
             "100000", "--rate", str(self.options.mixed_rate), "--seconds",
             str(self.options.seconds)], stdout=subprocess.PIPE, text=True)
        mixed = self.load("query", "--url", engine.url, "--queries", path, "--clients", 16,
                          "--seconds", self.options.seconds * 0.9)
        beside = json.loads(writer.communicate()[0])
        self.note("16 clients beside writes", "queries per second", "/s", engine,
                  mixed["queries_per_second"])
        self.note("16 clients beside writes", "query, p99", "ms", engine, mixed["p99"] * 1000)
        self.note("16 clients beside writes", "acknowledgement, p99", "ms", engine,
                  beside["ack_p99"] * 1000)
        engine.stop()
        shutil.rmtree(directory, ignore_errors=True)

    def churn(self, engine):
        """Half an hour of the fleet, then all instances under new names, six times over."""
        series = self.options.history_series
        directory = self.fresh(engine, "churn")
        start_ms = self.now_ms - 4 * HOUR_MS
        for generation in range(6):
            self.load("write", "--url", engine.url + "/api/v1/write", "--series", series,
                      "--start-ms", start_ms, "--generation", generation, "--first-step",
                      generation * 120, "--steps", 120)
        self.note("Churn", "resident memory after six generations", "MB", engine,
                  engine.resident() / 1e6)
        engine.stop()
        shutil.rmtree(directory, ignore_errors=True)

    def agree(self, engine, name, answer):
        """Every engine's answer against the first one's, which must say something."""
        points = flat(answer)
        known = self.answers.setdefault(name, (engine.name, points))
        if not points:
            raise RuntimeError(f"{engine.name} answers nothing to {name}")
        if known[0] == engine.name:
            return
        worst = max(difference(points.get(key), known[1].get(key))
                    for key in points.keys() | known[1].keys())
        panels = self.differences.setdefault(engine.name, {})
        panels[name] = max(worst, panels.get(name, 0))

    def agreement(self):
        lines = []
        for engine, panels in self.differences.items():
            others = {name: worst for name, worst in panels.items() if worst > SAME}
            lines.append(f"{engine} answers as Varve does in {len(panels) - len(others)} of {len(panels)} "
                         "panels, to nine digits"
                         + "".join(f"; {name}: {'other points' if worst == math.inf else f'up to {worst:.1%} off'}"
                                   for name, worst in others.items()) + ".")
            if engine == "VictoriaMetrics" and others:
                lines[-1] += (" (Its rates are others by design: over the sample before the window as well, and "
                              "not extrapolated.)")
        return "\n\n".join(lines)

    def table(self, engines):
        names = [engine.name for engine in engines]
        others = names[1:]
        lines = ["| | | " + " | ".join(names + [f"{other} / Varve" for other in others]) + " |",
                 "|---|---|" + "---:|" * (len(names) + len(others))]
        section_before = ""
        for (section, row), values in self.figures.items():
            medians = {name: statistics.median(values[name]) for name in names if name in values}
            cells = [number(medians.get(name), self.units[(section, row)]) for name in names]
            for other in others:
                own, peer = medians.get(names[0]), medians.get(other)
                cells.append(f"{peer / own:.2f}×" if own and peer is not None else "–")
            lines.append(f"| {section if section != section_before else ''} | {row} | "
                         + " | ".join(cells) + " |")
            section_before = section
        return "\n".join(lines)


def flat(answer):
    """(labels, time) -> value of a query's answer."""
    points = {}
    for series in ((answer or {}).get("data") or {}).get("result") or []:
        labels = tuple(sorted(series.get("metric", {}).items()))
        for at, value in series.get("values") or [series.get("value")]:
            points[(labels, at)] = float(value)
    return points


def difference(a, b):
    """Relative; infinite if one is missing."""
    if a is None or b is None:
        return math.inf
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    scale = max(abs(a), abs(b))
    return abs(a - b) / scale if math.isfinite(scale) else math.inf


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def number(value, unit):
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 3
    return f"{value:,.{digits}f} {unit}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--varve", required=True, help="the server's binary")
    parser.add_argument("--load", required=True, help="the varve_load binary")
    parser.add_argument("--work", default="bench-data", help="where the servers keep their data")
    parser.add_argument("--port", type=int, default=19090)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--history-series", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--mixed-rate", type=float, default=50_000, help="samples per second")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", help="names of engines, separated by commas")
    parser.add_argument("--phases", default=",".join(PHASES))
    options = parser.parse_args()
    phases = options.phases.split(",")
    if unknown := [phase for phase in phases if phase not in PHASES]:
        parser.error(f"unknown phase {unknown[0]}; there are {', '.join(PHASES)}")
    bench = Bench(options)
    engines = find_engines(options.varve)
    if options.only:
        engines = [engine for engine in engines if engine.name in options.only.split(",")]
    try:
        for round_number in range(options.rounds):
            for phase in phases:
                for engine in engines:
                    print(f"round {round_number + 1}: {phase}, {engine.name}", file=sys.stderr)
                    getattr(bench, phase)(engine)
    finally:
        for engine in engines:
            engine.stop(signal.SIGKILL)
    if not os.listdir(options.work):  # the phases have taken away what they left
        os.rmdir(options.work)
    memory_gb = os.sysconf("SC_PHYS_PAGES") * PAGE / 1e9
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {processor()}, {memory_gb:.0f} GB, "
          f"{platform.system()}; median of {options.rounds} round(s); "
          f"{options.series:,} series, history {options.history_series:,} series × 26 h. "
          + "; ".join(f"{engine.name}: {engine.version()}" for engine in engines) + "\n")
    print(bench.table(engines))
    if bench.differences:
        print("\n" + bench.agreement())


if __name__ == "__main__":
    main()
