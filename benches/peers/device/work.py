"""What a work is: its answer in f64, and who does it."""

from dataclasses import dataclass, field
from typing import Callable

import torch

PART = 1 << 24  # elements that are compared at once: copies in f64 stay small


class Wrong(Exception):
    """An answer is not the one in f64."""


@dataclass
class Side:
    """Somebody's way to do a work, ours too."""

    run: Callable  # does it once; this is what is timed
    names: tuple  # of what it returns, by the names in Work.truth
    looser: dict = field(default_factory=dict)  # by name: its arithmetic is this much coarser
    note: str = ""


@dataclass
class Work:
    """One line of the table of works. A rival is made when it is its turn: what it needs may not be there."""

    name: str
    truth: dict  # the answers in f64; NaN where any answer is right
    allowed: dict  # the largest difference, absolute
    ours: dict  # label -> Side
    rivals: dict  # label -> what makes a Side
    kinks: int = 0  # elements that may lie on the other side of a kink, where both branches are right
    other: dict = field(default_factory=dict)  # the answers of the other branch

    def check(self, side, out):
        """The worst use of the tolerance; Wrong beyond it."""
        out = out if isinstance(out, (tuple, list)) else (out,)
        pairs = list(zip(side.names, out, strict=True))
        return max(self.check_one(name, got, side.looser.get(name, 1.0)) for name, got in pairs if name)

    def check_one(self, name, got, looser):
        want, within = self.truth[name], self.allowed[name] * looser
        other = self.other.get(name, want)
        got = torch.as_tensor(got).detach()
        if got.numel() != want.numel():
            raise Wrong(f"`{name}` has {got.numel()} numbers, not {want.numel()}")
        over, worst = 0, 0.0
        parts = zip(*(x.reshape(-1).split(PART) for x in (got, want, other)), strict=True)
        for a, b, c in parts:
            a = a.double()
            over += int((off(a, b, b) > within).sum())
            worst = max(worst, float(off(a, b, c).max()))
        if over > (self.kinks if want.dim() else 0) or worst > within:
            raise Wrong(f"`{name}` is off by {worst:.3e} of {within:.3e}, {over} elements are over")
        return worst / within


def off(got, one, other):
    """How far a number is from two right ones and all between, since torch splits a tie in halves."""
    beyond = torch.maximum(torch.minimum(one, other) - got, got - torch.maximum(one, other))
    beyond = torch.where(got.isnan(), torch.inf, beyond.clamp(min=0.0))
    return torch.where(one.isnan(), 0.0, beyond)


def ragged(rows, columns, device):
    """Rows that end 0 to 7 slots before the width: every mask is real, and no bytes to speak of are saved."""
    short = torch.arange(rows, device=device) % min(8, columns)
    return torch.arange(columns, device=device)[None] < (columns - short)[:, None]


def normal(rows, columns, device, scale=1.0):
    """Normal f32 values, by torch's seed."""
    return torch.randn((rows, columns), device=device) * scale
