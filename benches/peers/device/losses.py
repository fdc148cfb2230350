"""`value_loss` and `policy_loss`, each with its gradient and what a trainer logs; formulas, settings and
tolerances are those of `rivals/losses.py`.
"""

import torch

from rivals import losses as cpu
from rivals.work import EPS

from .work import Side, Work, normal, ragged


def value_branches(v, v_old, ret, mask):
    """In f64: where no gradient flows, and what flows elsewhere."""
    clipped_error = torch.clamp(v, v_old - cpu.EPS_V, v_old + cpu.EPS_V) - ret
    return (clipped_error**2 > (v - ret) ** 2) & mask, v - ret


def policy_branches(logp, logp_old, adv, mask):
    """The same."""
    ratio = torch.exp(torch.clamp(logp - logp_old, -cpu.LOG_RATIO, cpu.LOG_RATIO))
    plain, clipped = -adv * ratio, -adv * torch.clamp(ratio, 1 - cpu.EPS_CLIP, 1 + cpu.EPS_CLIP)
    lower = (torch.maximum(plain, clipped) > -adv * cpu.C_DUAL) & (adv < 0)
    return ((clipped > plain) | lower) & mask, plain


def by_verl_value(v, v_old, ret, floats):
    from verl.trainer.ppo.core_algos import compute_value_loss

    return cpu.with_grad(lambda v: compute_value_loss(v, ret, v_old, floats, cpu.EPS_V), v)


def by_verl_policy(logp, logp_old, adv, floats):
    from verl.trainer.ppo.core_algos import compute_policy_loss_vanilla

    settings = cpu.verl_actor()

    def loss(logp):
        loss, logged = compute_policy_loss_vanilla(logp_old, logp, adv, floats, "token-mean", settings)
        return loss, *(logged["actor/" + name] for name in ("pg_clipfrac", "pg_clipfrac_lower", "ppo_kl"))

    return cpu.with_grad(loss, logp)


KINDS = {
    "value_loss": (
        cpu.value_loss,
        value_branches,
        ("compute_value_loss", by_verl_value),
        ("loss", "clip_frac"),
    ),
    "policy_loss": (
        cpu.policy_loss,
        policy_branches,
        ("compute_policy_loss_vanilla", by_verl_policy),
        ("loss", "clip_frac", "clip_frac_lower", "approx_kl"),
    ),
}


def inputs(kind, rows, columns, device):
    """V, V_old and R; or log pi, log pi_old and advantages, some far off so that the dual clip acts."""
    first, second = normal(rows, columns, device), normal(rows, columns, device)
    if kind == "value_loss":
        return first + normal(rows, columns, device, 0.2), first, second
    old = -first.abs()
    far = torch.where(torch.rand((rows, columns), device=device) < 0.02, 6.0, 1.0)
    return old + normal(rows, columns, device, 0.3) * far, old, second


def work(ours, device, kind, rows, columns):
    formula, branches, (called, by_verl), figures = KINDS[kind]
    mask = ragged(rows, columns, device)
    x, *rest = inputs(kind, rows, columns, device)
    n, count = mask.sum().float(), int(mask.sum())
    wide = [y.double() for y in (x, *rest)]
    flat, slope = branches(*wide, mask)
    slope = torch.where(mask, slope / count, 0.0)
    truth = dict(zip(figures, formula(*wide, mask, mask.sum().double()), strict=True))
    walk, kinks = EPS * count**0.5, max(4, count // 100_000)
    allowed = {name: walk * max(abs(float(y)), 1.0) for name, y in truth.items()}
    allowed |= {name: y + kinks / count for name, y in allowed.items() if name.startswith("clip_frac")}
    allowed["grad"] = 8 * EPS * float(slope.abs().max())
    truth["grad"], other = torch.where(flat, 0.0, slope), torch.where(flat, slope, 0.0)
    del wide
    names, floats = (*figures, "grad"), mask.float()
    leaf, kernels = x.detach().requires_grad_(), ours.kind(kind, rows, columns, mask)

    def run_ours():
        grad, said = ours.empty(rows, columns), ours.empty(len(figures))
        kernels(x, *rest, grad, said, ours.empty(kernels.scratch))
        return *said, grad

    def in_one():
        fast = cpu.in_one(formula)
        return Side(torch.no_grad()(lambda: fast(x, *rest, mask, n)), names)

    def autograd():
        return Side(cpu.with_grad(cpu.compile_for(formula), leaf, *rest, mask, n), names)

    # verl's logs leave the device, one number after the other, inside what is timed.
    note = "its figures go to the host" if kind == "policy_loss" else ""
    return Work(
        name=f"{kind} with gradient, {rows} x {columns}",
        truth=truth,
        other={"grad": other},
        allowed=allowed,
        kinks=kinks,
        ours={"ours": Side(run_ours, names)},
        rivals={
            "torch eager": lambda: Side(cpu.with_grad(formula, leaf, *rest, mask, n), names),
            "torch.compile, autograd": autograd,
            "torch.compile, loss and gradient in one": in_one,
            f"verl, {called}": lambda: Side(by_verl(leaf, *rest, floats), names, note=note),
        },
    )


def works(small):
    """Both losses, at 64 M tokens."""
    rows, columns = (16, 131) if small else (16384, 4096)
    for kind in KINDS:
        yield lambda ours, device, kind=kind: work(ours, device, kind, rows, columns)
