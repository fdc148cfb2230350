"""What a work is: its arrays, its answer, who does it, and what is to be reached."""

from dataclasses import dataclass, field
from typing import Callable

import numpy as np

EPS = 2.0**-24  # half a unit in the last place of 1 in f32
EPS_BF16 = 2.0**-8  # a rounding to bf16, one to nearest


@dataclass
class Rival:
    """Somebody else's way to do a work."""

    run: Callable  # does it once; this is what is timed
    answers: Callable  # of what `run` returned: a dict of numpy arrays by the names in Work.truth
    bar: str = ""  # the name that a target gives to it; the fastest of that name counts
    code: Callable = None  # the C++ that Inductor made for it, to look at its threads and vectors
    looser: float = 1.0  # its arithmetic is this much coarser than the work's tolerance says
    note: str = ""


@dataclass
class Target:
    """A line of the issue's table: our speed in units of somebody's."""

    against: str  # a Rival's bar, another phase of ours, or "ceiling"
    ratio: float
    ours: str = "ours"  # which of our phases
    streams: str = ""  # of the ceiling: "read", "copy_1_1" for one read and one write, ...


@dataclass
class Work:
    """One line of the table of works."""

    name: str
    kind: str  # what ours calls it
    rows: int
    columns: int
    arrays: dict  # as both sides get them; bf16 as its bits
    truth: dict  # the answers in f64; NaN where any answer is right
    allowed: dict  # the largest difference, absolute
    rivals: dict
    targets: list
    moved: int  # bytes: each input read once and each output written once
    tokens: int
    phases: dict = None  # label -> what ours runs and the bytes that it moves
    kinks: int = 0  # tokens that may lie on the other side of a kink, where both branches are right
    other: dict = field(default_factory=dict)  # the answers of the other branch, of each token
    same_as: str = ""  # a work before this one whose arrays these are

    def __post_init__(self):
        self.phases = self.phases or {"ours": ("all", self.moved)}

    def check(self, who, answers, looser=1.0):
        """The worst use of the tolerance over all answers; AssertionError beyond it."""
        worst = 0.0
        assert answers, f"{self.name}: {who} gave no answer"
        for name, got in answers.items():
            worst = max(worst, self.check_one(who, name, got, looser))
        return worst

    def check_one(self, who, name, got, looser):
        want = self.truth[name]
        got = np.asarray(got).reshape(want.shape)
        other = self.other.get(name, want)
        within = self.allowed[name] * looser
        over, worst = 0, 0.0
        rows = (np.atleast_1d(x) for x in (got, want, other))
        for a, b, c in zip(*rows, strict=True):  # by rows: f64 copies stay small
            a = a.astype(np.float64)
            over += int((off(a, b, b) > within).sum())
            worst = max(worst, float(off(a, b, c).max()))
        allowed = self.kinks if want.ndim else 0
        assert over <= allowed and worst <= within, (
            f"{self.name}: `{name}` of {who} is off by {worst:.3e} of {within:.3e}, {over} elements are over"
        )
        return float(worst / within)


def off(got, one, other):
    """How far a number is from two right ones and all between, since torch splits a tie in halves."""
    beyond = np.maximum(np.minimum(one, other) - got, got - np.maximum(one, other))
    beyond = np.where(np.isnan(got), np.inf, np.maximum(beyond, 0.0))
    return np.where(np.isnan(one), 0.0, beyond)


def ragged(rng, rows, columns):
    """Rows that end 0 to 7 slots before the width: every mask is real, and no bytes to speak of are saved."""
    ends = columns - rng.integers(0, min(8, columns), rows)
    return np.arange(columns)[None] < ends[:, None]


def normal(rng, rows, columns, scale=1.0):
    """Normal f32 values."""
    return rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(scale)
