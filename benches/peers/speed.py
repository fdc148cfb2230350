"""Ours against others and against the memory, on the same arrays in the same run.

    python speed.py --level avx2       both sides held to AVX2: here the targets bind
    python speed.py --level native     the best that the CPU has, reported without targets
    python speed.py --small            small sizes and few rounds: shows that everything runs

Every answer is held against one computed in f64 before anything is timed. Then, in every
round, each contender has its turn: runs that do not count for 100 ms, then one or more that
do. The tables give medians. `--record` writes speed-LEVEL.json and speed-LEVEL.md.
"""

import argparse
import os
import pathlib
import random
import statistics
import sys
import tempfile
import time

FAMILIES = ("gae", "whiten", "losses", "logits")
# OpenMP's threads still spin for some milliseconds after their work; the next must not meet them.
PAUSE = 0.02
# As `turn` of benches/lib.rs has it: runs that do not count, for so long, then three, or one of what takes longer.
LEAD = 100e6
LONG = 30e6


class Contender:
    """Somebody's way to do a work, or a ceiling, with the times it took."""

    def __init__(self, label, group, turn, moved, about=None):
        self.label, self.group, self.moved, self.about = label, group, moved, about or {}
        self.timed = turn
        self.ns = []

    def turn(self):
        time.sleep(PAUSE)
        self.ns += self.timed()

    def median(self):
        return statistics.median(self.ns)


def turn_of(rival, threads, about):
    """A turn of a rival, on the threads it is meant to have: nanoseconds of each run that counts."""
    from rivals import machine

    wall = cpu = 0

    def once():
        busy, started = time.process_time_ns(), time.perf_counter_ns()
        out = rival.run()
        took, busy = time.perf_counter_ns() - started, time.process_time_ns() - busy
        del out  # freed outside of what is timed; the pages stay for the next run
        assert machine.threads_now() == {threads}
        return took, busy

    def turn():
        nonlocal wall, cpu
        started, (last, _) = time.perf_counter_ns(), once()
        while time.perf_counter_ns() - started < LEAD:
            last, _ = once()
        runs = [once() for _ in range(1 if last > LONG else 3)]
        wall, cpu = wall + sum(took for took, _ in runs), cpu + sum(busy for _, busy in runs)
        about["cores busy"] = round(cpu / wall, 1)
        return [took for took, _ in runs]

    return turn


def rivals_of(work, args):
    """Every rival, compiled and held to the answer."""
    from rivals import compiled

    for label, rival in work.rivals.items():
        about = {"note": rival.note}
        if rival.code:
            seen = about["threads in its code"] = compiled.threads_in(compiled.code_of(rival.code))
            assert seen == [args.threads] or args.small and not seen, f"{label}: compiled for {seen} threads"
        about["use of the tolerance"] = round(work.check(label, rival.answers(rival.run()), rival.looser), 4)
        yield Contender(label, rival.bar, turn_of(rival, args.threads, about), work.moved, about)


def ours_of(work, child, level, args):
    """Our phases, held to the same answer; none where the crate has not got the term."""
    from rivals.ours import Absent

    for label, (phase, moved) in work.phases.items():
        try:
            used = work.check(label, child.answers(phase, level, args.threads))
        except Absent as absent:
            print(f"  absent: {absent}", file=sys.stderr)
            continue
        about = {"use of the tolerance": round(used, 4)}
        turn = lambda phase=phase: child.time("time", phase, level, threads=args.threads)  # noqa: E731
        yield Contender(label, label, turn, moved, about)


def ceilings_of(child, args):
    """Every ceiling that the work has, plain and past the caches."""
    for streams, store, moved in child.ask("ceilings")["ceilings"]:
        turn = lambda a=streams, b=store: child.time("ceiling", a, b, threads=args.threads)  # noqa: E731
        yield Contender(f"{streams}, {store}", streams, turn, moved)


def measure(work, child, args):
    """All contenders with their times."""
    level = child.ask("levels")["best"] if args.level == "native" else args.level
    print(f"{work.name}: ours at {level}", file=sys.stderr)
    contenders = [*ours_of(work, child, level, args), *rivals_of(work, args), *ceilings_of(child, args)]
    order = random.Random(7)
    for _ in range(args.rounds):
        for contender in order.sample(contenders, len(contenders)):  # no one always follows the same
            contender.turn()
    return level, contenders


def run(args):
    """Works one after the other; their reports."""
    import numpy as np
    from rivals import compiled, gae, logits, losses, machine, ours, report, whiten

    conditions = machine.verify(args)
    compiled.hold(args.threads, 256 if args.level == "avx2" else None)
    conditions["Inductor compiles for"] = compiled.vectors()
    about = machine.describe() | {"conditions": conditions}
    path, reports = ours.build(args.pages), []
    families = dict(gae=gae, whiten=whiten, losses=losses, logits=logits)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for name in args.only:
            for work in families[name].works(np.random.default_rng(17), args.small):
                if not work.same_as:
                    for old in pathlib.Path(folder).iterdir():
                        old.unlink()
                ours.write(folder, work.arrays)
                with ours.Ours(path, folder, work, args.pages) as child:
                    level, contenders = measure(work, child, args)
                reports.append(report.of(work, level, contenders, bind=args.level == "avx2"))
                print(report.table(reports[-1]), file=sys.stderr)
    return {"machine": about, "versions": machine.versions(), "reports": reports}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", choices=("avx2", "native"), default="avx2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pages", choices=("huge", "small"), default="huge", help="of the large arrays")
    parser.add_argument("--rounds", type=int, default=None, help="15, or 2 with --small")
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--record", action="store_true", help="write both files to benches/results")
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    parser.add_argument("--folder", default=memory, help="for the arrays")
    args = parser.parse_args()
    args.rounds = args.rounds or (2 if args.small else 15)
    if args.small and args.record:
        parser.error("small sizes are not worth a record")

    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    from rivals import machine, report

    machine.start_over(args)
    result = run(args)
    result |= {"level": args.level, "threads": args.threads, "rounds": args.rounds}
    result["command"] = " ".join(["python benches/peers/speed.py", *sys.argv[1:]])
    print(report.page(result))
    if args.record:
        report.record(result, pathlib.Path(__file__).parents[1] / "results" / f"speed-{args.level}")


if __name__ == "__main__":
    main()
