"""Runs the test vectors against a module of yours: python3 run.py MODULE [--f32] [TERM ...]

MODULE has one function a term, function(inputs, settings) -> outputs, all dicts (README.md; plain_ppo.py is an example).
A term without a function, or a case that raises NotImplementedError, is left out. Exit code: 1 a case failed, 2 none ran."""

import importlib
import json
import pathlib
import sys

import numpy as np

FLAGS = ["response_mask", "attention_mask", "terminated", "truncated", "dones", "last_dones"]
TYPES = {"actions": int, **dict.fromkeys(FLAGS, bool)}


def failure(expected, tolerance, got):
    """The sentence for the number that fails by most, if one does. A null, which is None here, is not compared."""
    if got is None or np.shape(got) != np.shape(expected):
        return "was not returned" if got is None else f"has shape {np.shape(got)} and not {np.shape(expected)}"
    right, within, got = (np.array(x, object).astype(float) for x in (expected, tolerance, got))
    same = np.equal(np.array(expected, object), None) | (got == right) | (np.isnan(got) & np.isnan(right))
    with np.errstate(all="ignore"):
        excess = np.where(same, 0, np.nan_to_num(np.abs(got - right) / within, nan=np.inf))
    at = np.unravel_index(np.argmax(excess), excess.shape)
    return excess[at] > 1 and f"{[int(i) for i in at]} is {got[at]}, expected {right[at]} within {within[at]:g}"


def run(function, file, precision):
    """Prints the cases of a file that fail, and what they have in common; how many ran, and how many of them failed."""
    ran, failed, outputs = [], set(), set()
    for case in (case for case in file["cases"] if function and precision in case["tolerance"]):
        floats, within = np.dtype(precision.replace("f", "float")), case["tolerance"][precision]
        inputs = {name: np.array(x, object).astype(TYPES.get(name, floats)) for name, x in case["inputs"].items()}
        try:
            got = function(inputs, file["settings"] | case["settings"])
        except NotImplementedError:
            continue
        ran.append(case)
        for name, expected in case["expected"].items():
            if said := failure(expected, within[name], got.get(name)):
                failed.add(case["name"])
                outputs.add(name)
                print(f"✗ {file['term']}: {case['name']}: {name} {said}: {case['comment']}")
    for flag, note in file["flags"].items():
        if outputs & set(note["outputs"]) and failed.issuperset(case["name"] for case in ran if flag in case["flags"]):
            print(f"? {flag}: {note['mistake']}: {note['effect']} (seen in {note['seen']})")
    print(f"{file['term']}: {len(ran) - len(failed)} of {len(ran)} passed, {len(file['cases']) - len(ran)} not covered")
    return len(ran), len(failed)


name, *terms = [word for word in sys.argv[1:] if word != "--f32"] or sys.exit(__doc__)
sys.path.append("")  # a module of the folder it is run in, too
module, precision = importlib.import_module(name), "f32" if "--f32" in sys.argv else "f64"
paths = sorted(path for path in pathlib.Path(__file__).parent.glob("*.json") if path.stem in (terms or [path.stem]))
files = [json.loads(path.read_text("utf-8")) for path in paths if path.stem != "schema"]
counts = [run(getattr(module, file["term"], None), file, precision) for file in files]
ran, wrong = (sum(count) for count in zip((0, 0), *counts))
print(f"{ran - wrong} of {ran} cases passed in {precision}")
sys.exit(1 if wrong else 0 if ran else 2)
