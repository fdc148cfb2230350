"""Ours against others on a GPU: the same tensors, the same stream, device time by events, peak memory by
torch's allocator.

    python gpu.py                        on the first GPU; builds our side
    python gpu.py --small --device cpu   small sizes, the emulation: shows that everything runs
    python gpu.py --ours LIBRARY --seconds 200

Every answer is held against one in f64 before anything is timed; what is not there, or does not run, is
named with the reason. In every round each contender has a turn, in a random order. Tables are printed as
works are done.
"""

import argparse
import gc
import importlib.metadata
import platform
import random
import statistics
import sys
import time

import torch

FAMILIES = ("logits", "losses", "gae")
HEAD = ("who", "ms", "in units of ours", "MiB beside the inputs", "of ours", "use of the tolerance", "note")


class Contender:
    """Somebody's way to do a work, whose answer is right."""

    def __init__(self, label, side, work, clock):
        self.label, self.side, self.ms = label, side, []
        self.used = work.check(side, side.run())
        self.peak = clock.peak(side.run)

    def median(self):
        return statistics.median(self.ms)


def contenders(work, clock):
    """Ours first, which must be there and right; then every rival that is."""
    from device.work import Wrong

    for label, side in work.ours.items():
        yield Contender(label, side, work, clock)
    for label, make in work.rivals.items():
        try:
            yield Contender(label, make(), work, clock)
        except Wrong as wrong:
            print(f"left out: {label}, {work.name}: {wrong}", flush=True)
        except Exception as error:  # whatever it is, a rival that does not run here is none
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            print(f"absent: {label}, {work.name} ({reason})", flush=True)


def cell(x):
    return "" if x is None else f"{x:.4g}" if isinstance(x, float) else str(x)


def row(cells):
    return "| " + " | ".join(cell(x) for x in cells) + " |"


def table(work, all_of_them):
    """Every contender of a work, the fastest first, in units of the one called `ours`."""
    ours = next(c for c in all_of_them if c.label == "ours")
    lines = [f"### {work.name}", "", row(HEAD), "|" + "---|" * len(HEAD)]
    for c in sorted(all_of_them, key=Contender.median):
        mib = None if c.peak is None else c.peak / (1 << 20)
        share = c.peak / ours.peak if c.peak is not None and ours.peak else None
        lines.append(row((c.label, c.median(), c.median() / ours.median(), mib, share, c.used, c.side.note)))
    return "\n".join(lines) + "\n"


def verdict(work, all_of_them, judged):
    """One line of the last table: the fastest of the others, over ours; an emulation is not judged."""
    ours = next(c for c in all_of_them if c.label == "ours")
    others = [c for c in all_of_them if c.label not in work.ours]
    if not others:
        return row((work.name, "all absent", None, ""))
    fastest = min(others, key=Contender.median)
    reached = fastest.median() / ours.median()
    said = ("met" if reached > 1 else "**missed**") if judged else "no speed"
    return row((work.name, fastest.label, reached, said))


def machine(device):
    """What it ran on."""
    versions = [f"python {platform.python_version()}"]
    for name in ("torch", "triton", "verl", "liger-kernel", "flash-attn"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} absent")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, and ours on the emulation"
    return f"{name}; {', '.join(versions)}"


def works(args):
    from device import gae, logits, losses

    families = dict(gae=gae, losses=losses, logits=logits)
    for family in args.only:
        yield from families[family].works(args.small)


def run(args, device):
    from device.clock import Clock
    from device.ours import Ours, build

    started, order = time.monotonic(), random.Random(7)
    library = args.ours or build("cuda" if device.type == "cuda" else "cuda-emulation")
    ours, clock, verdicts = Ours(library, device), Clock(device), []
    print(f"# Ours against others on a GPU\n\n{machine(device)}", flush=True)
    print(f"Medians of {args.rounds} rounds.\n", flush=True)
    for make in works(args):
        if args.seconds and time.monotonic() - started > args.seconds:
            print(f"stopped after {args.seconds} s: the works that would follow are not measured")
            break
        torch._dynamo.reset()
        torch.manual_seed(17)
        work = make(ours, device)
        all_of_them = list(contenders(work, clock))
        for _ in range(args.rounds):
            for contender in order.sample(all_of_them, len(all_of_them)):  # no one always follows the same
                contender.ms += clock.turn(contender.side.run)
        work.check(work.ours["ours"], work.ours["ours"].run())  # nobody has changed the inputs
        print(table(work, all_of_them), flush=True)
        verdicts.append(verdict(work, all_of_them, clock.cuda))
        del work, all_of_them, contender, make
        gc.collect()
        if clock.cuda:
            torch.cuda.empty_cache()
    print(
        "## Faster than each of the others\n\n" + row(("work", "the fastest of them", "in units of ours", ""))
    )
    print("|---|---|---|---|\n" + "\n".join(verdicts))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: the emulation")
    parser.add_argument("--ours", help="the built example `tensors`; built by cargo where it is not given")
    parser.add_argument("--rounds", type=int, default=None, help="15, or 2 with --small")
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--seconds", type=float, help="begin no work after so many")
    args = parser.parse_args()
    args.rounds = args.rounds or (2 if args.small else 15)
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("absent: rivals (torch has no GPU)")
    run(args, torch.device(args.device, 0) if args.device == "cuda" else torch.device("cpu"))


if __name__ == "__main__":
    main()
