#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the hot paths still take as many instructions as they did?

Runs the benchmarks of BENCHMARKS under callgrind, one iteration of each, and compares what is counted between
the begin and the end of their loops with baseline.json. Instructions, not time: the same binary takes the
same number whatever else the machine does, so a change of a few percent is a change of the program.

A baseline holds for one environment (system, compiler, valgrind, the instruction sets that valgrind finds on
this machine: it knows up to AVX2, so what is written for AVX-512 is not what is counted). In another one
there is nothing to compare with, and nothing fails.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys

# More than this above its baseline fails, more than this below asks for a new baseline.
TOLERANCE = 0.02
# Less than this is not worth a line.
QUIET = 0.001
BASELINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.json")

# By room: names of benchmarks, each the whole name. Inputs small enough that all take a minute.
BENCHMARKS = {
    "api": ["points/small_int", "points/two_decimal_gauge", "points/rate", "labels",
            "gzip/two_decimal_gauge", "gzip/rate"],
    "model": ["compile", "match/equal", "match/literals", "match/prefix", "match/contains",
              "match/alternation"],
    "promql_eval": ["parse_expressions", "index_of_windows", "window/rate_5m", "window/increase_1h",
                    "window/avg_over_time_1h", "window/max_over_time_1h",
                    "window/quantile_over_time_30m", "fold/sum/complete", "fold/sum/gaps",
                    "fold/avg/complete", "fold/max/complete", "fold/stddev/complete", "merge"],
    "promql": ["cpu_by_mode_1h", "hist_quantile_24h", "ratio_6h", "group_left_6h", "instant_last"],
    "storage": ["append_known/10000", "append_new/iterations:20"],
    "storage_block": ["write/10", "open/10", "labels/10", "chunks/10"],
    "storage_codec": ["dense_encode/mix", "dense_encode/small_int_gauge", "dense_decode/mix",
                      "dense_decode/steady_counter", "dense_decode/sparse_counter",
                      "dense_decode/small_int_gauge", "dense_decode/few_distinct",
                      "dense_decode/accelerating_counter", "dense_decode/smooth_float",
                      "gorilla_append/mix", "gorilla_decode/mix", "times_encode/jittered",
                      "times_decode/jittered", "append_histograms", "decode_all_histograms"],
    "storage_head": ["hash_keys", "look_up/by_target/100000", "append/steady_counter/10000",
                     "append_whole_chunks/two_decimal_gauge", "snapshot"],
    "storage_index": ["add/by_target/10000", "select_small/metric_and_instance_regex",
                      "select_small/metric_without_device", "intersect_like/100000",
                      "intersect_short_with_long/100", "unite_lists/lists:100",
                      "subtract_ids/one_in:2"],
    "storage_wal": ["encode/shape:4", "decode/shape:4"],
    "wire": ["snappy/pods", "decode/pods", "decode2/pods", "decode_key", "text_format"],
}

# Run in one process for the room.
ALIKE = {"promql"}
# Begun first.
LONGEST = {"promql", "storage", "storage_index", "storage_block"}

# What valgrind shows the program of the processor, as far as the program asks.
INSTRUCTION_SETS = ["abm", "avx2", "bmi1", "bmi2", "f16c", "fma"]


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def environment(build):
    """One line that names all that decides which instructions there are."""
    release = {}
    with open("/etc/os-release", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.strip().partition("=")
            release[key] = value.strip('"')
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as file:
        compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", file.read(), re.M).group(1)
    kind = "clang" if "clang" in output_of(compiler, "--version") else "g++"
    version = output_of(compiler, "-dumpfullversion" if kind == "g++" else "-dumpversion")
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = set(re.search(r"^flags\s*:(.*)$", file.read(), re.M).group(1).split())
    sets = [name for name in INSTRUCTION_SETS if name in flags]
    return (f"{release.get('ID', '?')} {release.get('VERSION_ID', '?')}, {kind} {version}, "
            f"{output_of('valgrind', '--version')}, {os.uname().machine} with {' '.join(sets)}")


def count(build, room, names, dumps):
    """Runs some benchmarks of a room in one process: name -> instructions of one iteration."""
    pattern = "^(" + "|".join(re.escape(name) for name in names) + ")$"
    dump = os.path.join(dumps, names[0].replace("/", ".") + ".dump")
    # What has been counted is written out, and counting begins anew, where a loop begins and where it
    # ends: every second file is what we want. Symbols are bound at the start, or the first call of each
    # would count the search for it; paths and variables are the same everywhere.
    command = [
        "valgrind", "--tool=callgrind", "--compress-strings=no", f"--callgrind-out-file={dump}",
        "--dump-before=benchmark::State::StartKeepRunning()",
        "--dump-before=benchmark::State::FinishKeepRunning()", f"./bench_{room}",
        f"--benchmark_filter={pattern}", "--benchmark_min_time=0", "--benchmark_format=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          cwd=os.path.join(build, "bench", room),
                          env={"PATH": os.environ["PATH"], "LC_ALL": "C", "LD_BIND_NOW": "1",
                               "TMPDIR": dumps})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    runs = json.loads(done.stdout)["benchmarks"] if done.stdout else []
    for run in runs:
        if run.get("error_occurred"):
            raise RuntimeError(f"{room} {run['name']} failed: {run.get('error_message')}")
    if missing := set(names) - {run["name"] for run in runs}:
        raise RuntimeError(f"bench_{room} has no {', '.join(sorted(missing))}")
    counts = {}
    for number, run in enumerate(runs, 1):
        path = f"{dump}.{2 * number}"
        with open(path, encoding="utf-8") as file:
            total = int(re.search(r"^summary: (\d+)", file.read(), re.M).group(1))
        os.rename(path, os.path.join(dumps, run["name"].replace("/", ".")))
        counts[run["name"]] = total // run["iterations"]
    for path in glob.glob(glob.escape(dump) + "*"):
        os.remove(path)
    return counts


def count_all(build, rooms, out):
    """Each benchmark in a process of its own, so that what one leaves on the heap is no matter to the
    next; those of ALIKE together, as they share what takes longest, their input."""
    jobs = []
    for room in rooms:
        dumps = os.path.join(out, room)
        shutil.rmtree(dumps, ignore_errors=True)
        os.makedirs(dumps)
        groups = [BENCHMARKS[room]] if room in ALIKE else [[name] for name in BENCHMARKS[room]]
        jobs += [(room, names, dumps) for names in groups]
    jobs.sort(key=lambda job: job[0] not in LONGEST)
    found = {room: {} for room in rooms}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [(room, pool.submit(count, build, room, names, dumps))
                   for room, names, dumps in jobs]
        for room, job in running:
            try:
                found[room].update(job.result())
            except RuntimeError as error:
                pool.shutdown(cancel_futures=True)
                sys.exit(str(error))
    return {room: {name: found[room][name] for name in BENCHMARKS[room]} for room in rooms}


def compare(before, now):
    """Prints what has changed; the names of those that got worse, got better, and are new."""
    worse, better, new = [], [], []
    lines = []
    for room, counts in now.items():
        for name, count in counts.items():
            known = before.get(room, {}).get(name)
            change = count / known - 1 if known else None
            if change is None:
                new.append(f"{room} {name}")
            elif change > TOLERANCE:
                worse.append(f"{room} {name}")
            elif change < -TOLERANCE:
                better.append(f"{room} {name}")
            if change is None or abs(change) >= QUIET:
                lines.append((room, name, f"{known:,}" if known else "–", f"{count:,}",
                              f"{change:+.2%}" if change is not None else "new"))
    total = sum(len(counts) for counts in now.values())
    print(f"{total} benchmarks, {total - len(lines)} as before (within {QUIET:.1%})")
    if lines:
        lines.insert(0, ("room", "benchmark", "instructions before", "now", "change"))
        widths = [max(len(line[i]) for line in lines) for i in range(5)]
        for line in lines:
            print("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                            for i, (cell, width) in enumerate(zip(line, widths))))
    return worse, better, new


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", action="store_true", help="print what has to be built")
    parser.add_argument("--check", action="store_true", help="count and compare")
    parser.add_argument("--update", action="store_true", help="make what is counted the baseline")
    parser.add_argument("--build", default="build/bench", help="the build directory")
    parser.add_argument("--rooms", help="only these, separated by commas")
    options = parser.parse_args()
    rooms = options.rooms.split(",") if options.rooms else list(BENCHMARKS)
    if unknown := set(rooms) - set(BENCHMARKS):
        sys.exit(f"nothing is counted of {', '.join(sorted(unknown))}")
    if options.targets:
        print(" ".join(f"bench_{room}" for room in rooms))
        return
    here = environment(options.build)
    baselines = {}
    if os.path.exists(BASELINE):
        with open(BASELINE, encoding="utf-8") as file:
            baselines = json.load(file)
    if here not in baselines and not options.update:
        print(f"No baseline for {here}; there is one for {'; '.join(baselines) or 'nothing'}. Instructions "
              "of another environment are others: nothing is compared. --update adds a baseline.")
        return
    out = os.path.abspath(os.path.join(options.build, "bench", "callgrind"))
    now = count_all(os.path.abspath(options.build), rooms, out)
    known = baselines.get(here, {})
    worse, better, new = compare(known, now)
    if options.update:
        kept = {room: known[room] for room in known if room in BENCHMARKS}
        baselines[here] = dict(sorted({**kept, **now}.items()))
        with open(BASELINE, "w", encoding="utf-8") as file:
            json.dump(baselines, file, indent=1)
            file.write("\n")
        print(f"baseline written for {here}")
        return
    if better:
        print(f"\nBetter by more than {TOLERANCE:.0%}: {', '.join(better)}. Make it the new baseline, so that it "
              "is not lost again: tools/bench --check --update")
    if new:
        print(f"\nNot in the baseline: {', '.join(new)}. tools/bench --check --update adds them.")
    if worse:
        print(f"\nWorse by more than {TOLERANCE:.0%}: {', '.join(worse)}. Where they are: callgrind_annotate "
              f"--auto=no --threshold=100 {os.path.relpath(out)}/<room>/<benchmark>. If it has to be so: "
              "tools/bench --check --update")
    if worse or new:
        sys.exit(1)


if __name__ == "__main__":
    main()
