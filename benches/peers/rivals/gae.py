"""`gae` and returns.

Every side gets rewards, values and a mask and gives advantages before whitening and
returns. verl's and TRL's functions whiten the advantages at their end, inside what is
timed, because that is how they stand; it is a few percent of their loop.

The tolerance: A_t is a sum over l of (gamma lambda)^l delta with l + 5 roundings of at
most S = |r| + 2|v| each, so 2^-24 S (5 / (1 - gl) + gl / (1 - gl)^2); a return adds one.
"""

import ast
import inspect

import numba
import numpy as np
import torch
from numba import njit, prange

from .work import EPS, Rival, Target, Work, normal, ragged

GAMMA, LAM = 0.99, 0.95
F32 = np.float32


def in_f64(r, v, mask):
    """The recursion over columns; what verl's does on right-padded rows."""
    r, v = r.astype(np.float64), v.astype(np.float64)
    adv, a, vn = np.zeros_like(r), np.zeros(len(r)), np.zeros(len(r))
    for t in reversed(range(r.shape[1])):
        m = mask[:, t]
        a = np.where(m, r[:, t] + GAMMA * vn - v[:, t] + GAMMA * LAM * a, a)
        vn = np.where(m, v[:, t], vn)
        adv[:, t] = np.where(m, a, np.nan)
    return adv, adv + v


@njit(parallel=True, fastmath={"contract"})
def numba_branches(r, v, mask, gamma, gl, adv, ret):
    """A row at a time from its end, the mask asked by a branch; products may fuse with sums, as ours do."""
    for i in prange(r.shape[0]):
        a, vn = F32(0), F32(0)
        for t in range(r.shape[1] - 1, -1, -1):
            if mask[i, t]:
                now = v[i, t]
                a = (r[i, t] + gamma * vn - now) + gl * a
                vn = now
                adv[i, t], ret[i, t] = a, a + now
            else:
                adv[i, t], ret[i, t] = F32(0), F32(0)


@njit(parallel=True, fastmath={"contract"})
def numba_selects(r, v, mask, gamma, gl, adv, ret):
    """The same, the mask asked by selection."""
    for i in prange(r.shape[0]):
        a, vn = F32(0), F32(0)
        for t in range(r.shape[1] - 1, -1, -1):
            m, now = mask[i, t], v[i, t]
            new = (r[i, t] + gamma * vn - now) + gl * a
            a = new if m else a
            vn = now if m else vn
            adv[i, t] = a if m else F32(0)
            ret[i, t] = a + now if m else F32(0)


def numpy_columns(r, v, mask, adv, ret):
    """All rows at once, a column after the other."""
    a, vn = np.zeros(len(r), F32), np.zeros(len(r), F32)
    gamma, gl = F32(GAMMA), F32(GAMMA * LAM)
    for t in range(r.shape[1] - 1, -1, -1):
        m, now = mask[:, t], v[:, t]
        a = np.where(m, (r[:, t] + gamma * vn - now) + gl * a, a)
        vn = np.where(m, now, vn)
        adv[:, t] = a
    np.add(adv, v, out=ret)
    return adv, ret


def trl_statements():
    """TRL's loop, which stands inside `PPOTrainer.train`: its own statements, compiled from its own file."""
    from trl.experimental.ppo import ppo_trainer

    tree = ast.parse(inspect.getsource(ppo_trainer))

    def is_named(node, name):
        return isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name

    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        names = [i for i, x in enumerate(body if isinstance(body, list) else []) if is_named(x, "lastgaelam")]
        if names and isinstance(node, ast.With):
            end = max(i for i, x in enumerate(body) if is_named(x, "advantages"))
            code = compile(ast.Module(body[names[0] : end + 1], []), ppo_trainer.__file__, "exec")
            return code, ppo_trainer.masked_whiten
    raise LookupError("TRL's file has no loop that begins with `lastgaelam`")


def trl_run(r, v, padding):
    """Runs those statements; `args`, `responses` and the rest are the names that they use."""
    code, masked_whiten = trl_statements()
    args = type("Args", (), {"gamma": GAMMA, "lam": LAM})
    names = dict(torch=torch, args=args, responses=r, rewards=r, values=v, padding_mask=padding)

    def run():
        scope = dict(names, masked_whiten=masked_whiten)
        with torch.no_grad():
            exec(code, scope)
        return scope["advantages"], scope["returns"]

    return run


def work(rng, rows, columns, targets):
    """Rewards and values of a batch with right padding."""
    from verl.trainer.ppo.core_algos import compute_gae_advantage_return as verl

    mask = ragged(rng, rows, columns)
    # +0 where padding is, as TRL does before its loop, which asks no mask itself.
    r, v = (np.where(mask, normal(rng, rows, columns), F32(0)) for _ in range(2))
    adv, ret = in_f64(r, v, mask)
    whitened = (adv - np.nanmean(adv)) / np.sqrt(np.nanvar(adv, ddof=1) + 1e-8)
    gl = GAMMA * LAM
    roundings = 5 / (1 - gl) + gl / (1 - gl) ** 2
    allowed = EPS * float(np.abs(r).max() + 2 * np.abs(v).max()) * roundings
    out = np.empty_like(r), np.empty_like(r)
    tr, tv, tm = torch.from_numpy(r), torch.from_numpy(v), torch.from_numpy(mask.astype(F32))

    def by_numba(loop):
        def run():
            loop(r, v, mask, F32(GAMMA), F32(gl), *out)
            return out

        return run

    def raw(out):
        return {"adv": out[0], "ret": out[1]}

    def whitened_at_the_end(out):
        return {"whitened": out[0].numpy(), "ret": out[1].numpy()}

    rivals = {
        "verl, compute_gae_advantage_return": Rival(
            lambda: verl(tr, tv, tm, GAMMA, LAM), whitened_at_the_end, "verl's loop", note="whitens too"
        ),
        "TRL, the statements of train": Rival(
            trl_run(tr, tv, torch.from_numpy(~mask)),
            whitened_at_the_end,
            note="whitens too; no mask in its loop",
        ),
        "numba, rows by branches": Rival(by_numba(numba_branches), raw, "numba"),
        "numba, rows by selection": Rival(by_numba(numba_selects), raw, "numba"),
        "numpy, columns": Rival(lambda: numpy_columns(r, v, mask, *out), raw),
    }
    return Work(
        name=f"gae + returns, {rows} x {columns}",
        kind="gae",
        rows=rows,
        columns=columns,
        arrays={"r": r, "v": v, "mask": mask},
        truth={"adv": adv, "ret": ret, "whitened": whitened},
        allowed={"adv": allowed, "ret": allowed + EPS * float(np.nanmax(np.abs(ret))), "whitened": allowed},
        rivals=rivals,
        targets=targets,
        moved=rows * columns * 16,
        tokens=int(mask.sum()),
    )


def works(rng, small):
    """Both sizes; small ones only show that everything runs."""
    copy = Target("ceiling", 0.75, streams="copy_2_2")
    sizes = ((64, 131), (128, 32)) if small else ((1024, 2048), (8192, 512))
    yield work(rng, *sizes[0], [Target("verl's loop", 100), Target("numba", 1.5), copy])
    yield work(rng, *sizes[1], [Target("verl's loop", 50), Target("numba", 1.5)])


def threads():
    """How many threads numba uses."""
    return numba.get_num_threads()
