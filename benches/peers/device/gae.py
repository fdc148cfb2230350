"""`gae` and returns, from rewards, values and a mask.

verl's function whitens the advantages at its end, inside what is timed, because that is how it stands.

The tolerance: A_t is a sum over l of (gamma lambda)^l delta with l + 5 roundings of at most S = |r| +
2|v| each, so 2^-24 S (5 / (1 - gl) + gl / (1 - gl)^2); a return adds one. A scan rounds the powers of gl
too, which at most doubles it.
"""

import torch

from rivals.compiled import compile_for
from rivals.work import EPS

from .work import Side, Work, normal, ragged

GAMMA, LAM = 0.99, 0.95


def by_columns(r, v, mask):
    """The recursion, a column of all rows after the other, in the format of r."""
    a, v_next, adv = torch.zeros_like(r[:, 0]), torch.zeros_like(r[:, 0]), []
    for t in reversed(range(r.shape[1])):
        m, now = mask[:, t], v[:, t]
        a = torch.where(m, r[:, t] + GAMMA * v_next - now + GAMMA * LAM * a, a)
        v_next = torch.where(m, now, v_next)
        adv.append(a)
    adv = torch.stack(adv[::-1], 1)
    return adv, adv + v


def by_scan(mode):
    """The same as a scan of x -> q x + d, for right-padded rows with +0 in the padding."""
    from torch._higher_order_ops.associative_scan import associative_scan

    def after(later, now):
        return later[0] * now[0], now[1] + now[0] * later[1]

    def scan(r, v):
        v_next = torch.nn.functional.pad(v[:, 1:], (0, 1))
        d = r + GAMMA * v_next - v
        q = torch.full_like(d, GAMMA * LAM)
        adv = associative_scan(after, (q, d), dim=1, reverse=True, combine_mode=mode)[1]
        return adv, adv + v

    return scan


def work(ours, device, rows, columns):
    mask = ragged(rows, columns, device)
    r, v = (torch.where(mask, normal(rows, columns, device), 0.0) for _ in range(2))
    adv, ret = by_columns(r.double(), v.double(), mask)
    adv, ret = (torch.where(mask, x, torch.nan) for x in (adv, ret))
    valid = adv[mask]
    whitened = (adv - valid.mean()) / (valid.var() + 1e-8).sqrt()
    gl = GAMMA * LAM
    allowed = EPS * float(r.abs().max() + 2 * v.abs().max()) * (5 / (1 - gl) + gl / (1 - gl) ** 2)
    most = float(ret[mask].abs().max())
    floats, kind = mask.float(), ours.kind("gae", rows, columns, mask)

    def run_ours():
        out = ours.empty(rows, columns), ours.empty(rows, columns)
        kind(r, v, *out, ours.empty(kind.scratch))
        return out

    @torch.no_grad()
    def run_eager():
        return by_columns(r, v, mask)

    def scan():
        fast = compile_for(by_scan("pointwise" if device.type == "cuda" else "generic"))
        twice = {"adv": 2.0, "ret": 2.0}
        note = "asks no mask; a prototype of torch's"
        return Side(torch.no_grad()(lambda: fast(r, v)), ("adv", "ret"), twice, note)

    def verl():
        from verl.trainer.ppo.core_algos import compute_gae_advantage_return as gae

        return Side(lambda: gae(r, v, floats, GAMMA, LAM), ("whitened", "ret"), note="whitens too")

    return Work(
        name=f"gae + returns, {rows} x {columns}",
        truth={"adv": adv, "ret": ret, "whitened": whitened},
        allowed={"adv": allowed, "ret": allowed + EPS * most, "whitened": allowed},
        ours={"ours": Side(run_ours, ("adv", "ret"))},
        rivals={
            "torch eager, by columns": lambda: Side(run_eager, ("adv", "ret")),
            "torch.compile, associative_scan": scan,
            "verl, compute_gae_advantage_return": verl,
        },
    )


def works(small):
    """Each as a function of our side and the device."""
    sizes = ((16, 131), (64, 32)) if small else ((1024, 2048), (8192, 512))
    for rows, columns in sizes:
        yield lambda ours, device, rows=rows, columns=columns: work(ours, device, rows, columns)
