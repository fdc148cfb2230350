"""`whiten`: sample variance, epsilon under the root, as verl and TRL have it.

The tolerance: mean and variance are sums of n terms whose roundings walk at random, so
sqrt(n) 2^-24 of the largest result.
"""

import numpy as np
import torch

from .compiled import compile_for
from .work import EPS, Rival, Target, Work, normal, ragged

EPS_W = 1e-8


def whiten(adv, mask, n):
    """The formula in torch, n a tensor made beforehand."""
    mean = torch.where(mask, adv, 0.0).sum() / n
    y = adv - mean
    var = torch.where(mask, y * y, 0.0).sum() / (n - 1)
    return torch.where(mask, y * torch.rsqrt(var + EPS_W), 0.0)


def works(rng, small):
    from verl.utils.torch_functional import masked_whiten as verl

    rows, columns = (64, 131) if small else (1024, 2048)
    mask = ragged(rng, rows, columns)
    adv = normal(rng, rows, columns, 2.0) + np.float32(0.5)
    valid = adv[mask].astype(np.float64)
    whitened = np.where(mask, (adv - valid.mean()) / np.sqrt(valid.var(ddof=1) + EPS_W), np.nan)
    ta, tm, tf = torch.from_numpy(adv), torch.from_numpy(mask), torch.from_numpy(mask.astype(np.float32))
    n = torch.tensor(float(mask.sum()))
    fast = compile_for(whiten)
    fast_verl = compile_for(verl)

    def answers(out):
        return {"whitened": out.numpy()}

    @torch.no_grad()
    def run_compiled():
        return fast(ta, tm, n)

    @torch.no_grad()
    def run_verl_compiled():
        return fast_verl(ta, tf)

    rivals = {
        "torch eager": Rival(lambda: whiten(ta, tm, n), answers),
        "torch.compile": Rival(run_compiled, answers, "torch.compile", code=run_compiled),
        "verl, masked_whiten": Rival(lambda: verl(ta, tf), answers),
        "verl, masked_whiten, compiled": Rival(run_verl_compiled, answers, code=run_verl_compiled),
    }
    yield Work(
        name=f"whiten, {rows} x {columns}",
        kind="whiten",
        rows=rows,
        columns=columns,
        arrays={"adv": adv, "mask": mask},
        truth={"whitened": whitened},
        allowed={"whitened": EPS * mask.sum() ** 0.5 * float(np.nanmax(np.abs(whitened)))},
        rivals=rivals,
        targets=[Target("torch.compile", 1.4)],
        moved=rows * columns * 8,
        tokens=int(mask.sum()),
    )
