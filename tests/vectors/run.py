"""Runs the test vectors against a module of yours: python3 run.py MODULE [--f32] [TERM ...]

MODULE has one function a term, called as function(inputs, settings): inputs a dict of numpy arrays (masks and flags bool,
ids int), settings a dict. It gives a dict of outputs. README.md lists them; plain_ppo.py is an example. A term without a
function, or one that raises NotImplementedError, is not covered. Exit code: 0 all passed, 1 one failed, 2 nothing ran."""

import importlib
import json
import pathlib
import sys

import numpy as np

FLAGS = {"response_mask", "attention_mask", "terminated", "truncated", "dones", "last_dones"}


def read(name, x, floats):
    dtype = bool if name in FLAGS else int if name == "actions" else floats
    return np.array(x, dtype=object).astype(dtype)  # "NaN" and "Infinity" are read as such


def worst(expected, tolerance, got):
    """The sentence for the number that fails by most, or None."""
    expected = np.array(expected, dtype=object)
    compared = np.asarray(np.not_equal(expected, None), dtype=bool)
    right, within = (np.where(compared, np.array(x, dtype=object), 0).astype(float) for x in (expected, tolerance))
    got = np.asarray(got)
    if got.shape != right.shape:
        return f"has shape {got.shape} and not {right.shape}"
    got = np.where(compared, got, 0).astype(float)
    same = (got == right) | (np.isnan(got) & np.isnan(right))
    with np.errstate(all="ignore"):
        excess = np.where(same, 0, np.abs(got - right) / within)
    excess = np.where(np.isnan(excess), np.inf, excess)
    at = np.unravel_index(np.argmax(excess), excess.shape)
    place = "".join(f"[{i}]" for i in at)
    return None if excess[at] <= 1 else f"{place} is {float(got[at])!r}, expected {float(right[at])!r} within {within[at]:g}"


def failures(function, case, settings, precision):
    """Each output of a case that does not pass, with a sentence."""
    floats = np.float32 if precision == "f32" else np.float64
    inputs = {name: read(name, x, floats) for name, x in case["inputs"].items()}
    got = function(inputs, settings | case["settings"])
    for name, expected in case["expected"].items():
        said = worst(expected, case["tolerance"][precision][name], got[name]) if name in got else "was not returned"
        if said:
            yield name, f"{name} {said}"


def run(module, file, precision):
    """Prints the cases of a file that fail, and what they have in common: cases that ran, and that passed."""
    ran, failed, outputs = [], [], set()
    for case in file["cases"]:
        try:
            function = getattr(module, file["term"], None)
            if function is None or precision not in case["tolerance"]:
                raise NotImplementedError
            said = list(failures(function, case, file["settings"], precision))
        except NotImplementedError:
            continue
        ran.append(case)
        if said:
            failed.append(case)
            outputs.update(name for name, _ in said)
            print(f"✗ {file['term']}: {case['name']}: {case['comment']}", *(line for _, line in said), sep="\n    ")
    for flag, note in file["flags"].items():
        if outputs.intersection(note["outputs"]) and all(case in failed for case in ran if flag in case["flags"]):
            print(f"? {flag}: {note['mistake']}: {note['effect']} (seen in {note['seen']})")
    left_out = len(file["cases"]) - len(ran)
    print(f"{file['term']}: {len(ran) - len(failed)} of {len(ran)} passed" + f", {left_out} not covered" * bool(left_out))
    return len(ran), len(ran) - len(failed)


def main(arguments):
    precision = "f32" if "--f32" in arguments else "f64"
    name, *terms = [argument for argument in arguments if argument != "--f32"] or sys.exit(__doc__)
    paths = sorted(path for path in pathlib.Path(__file__).parent.glob("*.json") if path.stem != "schema")
    files = [json.loads(path.read_text(encoding="utf-8")) for path in paths if not terms or path.stem in terms]
    sys.path.append("")  # a module of the folder it is run in, too
    counts = [run(importlib.import_module(name), file, precision) for file in files]
    ran, passed = (sum(count) for count in zip(*counts)) if counts else (0, 0)
    print(f"{passed} of {ran} cases passed in {precision}")
    return 1 if passed < ran else 0 if ran else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
