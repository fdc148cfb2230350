"""`value_loss` and `policy_loss`, each with its gradient and what a trainer logs.

All sides compute what verl does: a half before the value loss; the log-ratio clamped to
20 and the dual clip at 3 in the policy loss; means over tokens. `torch.compile` is given
two forms: the loss under autograd, and loss and gradient in one compiled function.

Tolerances: of a mean, n roundings that walk at random, sqrt(n) 2^-24 of the mean size; of
a gradient, 8 roundings of its largest element. One token in 100,000 may lie on the other
side of a kink, where rounding decides between two branches; its gradient is then that of the
other branch.
"""

import numpy as np
import torch

from .compiled import compile_for
from .work import EPS, Rival, Target, Work, normal, ragged

EPS_V, EPS_CLIP, C_DUAL, LOG_RATIO = 0.2, 0.2, 3.0, 20.0
COPY = Target("ceiling", 0.8, streams="copy_3_1")


def value_loss(v, v_old, ret, mask, n):
    """The loss and the share of clipped tokens."""
    clipped = torch.clamp(v, v_old - EPS_V, v_old + EPS_V)
    plain_error, clipped_error = (v - ret) ** 2, (clipped - ret) ** 2
    loss = 0.5 * torch.where(mask, torch.maximum(plain_error, clipped_error), 0.0).sum() / n
    return loss, ((clipped_error > plain_error) & mask).sum() / n


def value_in_f64(v, v_old, ret, mask):
    """The answers, and those of the other branch."""
    v, v_old, ret = (x.astype(np.float64) for x in (v, v_old, ret))
    error, n = v - ret, mask.sum()
    clipped_error = np.clip(v, v_old - EPS_V, v_old + EPS_V) - ret
    is_clipped = (clipped_error**2 > error**2) & mask
    per_token = np.where(mask, np.maximum(error**2, clipped_error**2), 0.0)
    truth = {"loss": 0.5 * per_token.sum() / n, "clip_frac": is_clipped.sum() / n}
    return branches(truth, is_clipped, error / n, mask)


def branches(truth, flat, slope, mask):
    """The answers with the gradient, and the gradient of every token on the other side of its kink."""
    grad, other = (np.where(mask & on, slope, 0.0) for on in (~flat, flat))
    return truth | {"grad": grad}, {"grad": other}


def policy_loss(logp, logp_old, adv, mask, n):
    """The loss, the shares of clipped and of lower-clipped tokens, and the KL."""
    log_ratio = torch.clamp(logp - logp_old, -LOG_RATIO, LOG_RATIO)
    ratio = torch.exp(log_ratio)
    plain, clipped = -adv * ratio, -adv * torch.clamp(ratio, 1 - EPS_CLIP, 1 + EPS_CLIP)
    worse, bound = torch.maximum(plain, clipped), -adv * C_DUAL
    per_token = torch.where(adv < 0, torch.minimum(worse, bound), worse)
    lower = (worse > bound) & (adv < 0) & mask
    loss = torch.where(mask, per_token, 0.0).sum() / n
    approx_kl = torch.where(mask, -log_ratio, 0.0).sum() / n
    return loss, ((clipped > plain) & mask).sum() / n, lower.sum() / n, approx_kl


def policy_in_f64(logp, logp_old, adv, mask):
    """The answers, and those of the other branch."""
    logp, logp_old, adv = (x.astype(np.float64) for x in (logp, logp_old, adv))
    log_ratio, n = np.clip(logp - logp_old, -LOG_RATIO, LOG_RATIO), mask.sum()
    ratio = np.exp(log_ratio)
    plain, clipped = -adv * ratio, -adv * np.clip(ratio, 1 - EPS_CLIP, 1 + EPS_CLIP)
    worse, bound = np.maximum(plain, clipped), -adv * C_DUAL
    is_lower = (worse > bound) & (adv < 0) & mask
    per_token = np.where(mask, np.where(is_lower, bound, worse), 0.0)
    truth = {
        "loss": per_token.sum() / n,
        "clip_frac": ((clipped > plain) & mask).sum() / n,
        "clip_frac_lower": is_lower.sum() / n,
        "approx_kl": -log_ratio[mask].sum() / n,
    }
    return branches(truth, (clipped > plain) | is_lower, plain / n, mask)


def with_grad(function, leaf, *rest):
    """What `function` returns, and the gradient of its first in `leaf`."""

    def run():
        out = function(leaf, *rest)
        (grad,) = torch.autograd.grad(out[0], leaf)
        return *out, grad

    return run


def in_one(function):
    """Value and gradient as one function, for the compiler to see whole."""

    def both(*args):
        def first_and_rest(*args):
            loss, *rest = function(*args)
            return loss, tuple(rest)

        grad, (loss, rest) = torch.func.grad_and_value(first_and_rest, has_aux=True)(*args)
        return loss, *rest, grad

    return compile_for(both)


def reader(*names):
    """What a run returned, by name."""

    def answers(out):
        return {name: torch.as_tensor(x).detach().numpy() for name, x in zip(names, out)}

    return answers


def torch_rivals(function, leaf, args, answers):
    """Ours in torch: eager, and compiled in both forms."""

    def one():
        with torch.no_grad():
            return one.fast(leaf.detach(), *args)

    one.fast = in_one(function)
    two = with_grad(compile_for(function), leaf, *args)
    return {
        "torch eager": Rival(with_grad(function, leaf, *args), answers),
        "torch.compile, autograd": Rival(two, answers, "torch.compile", code=two),
        "torch.compile, loss and gradient in one": Rival(one, answers, "torch.compile", code=one),
    }


def common(kind, rows, columns, mask, in_f64, targets):
    """What both losses say of themselves."""
    truth, other = in_f64
    n = int(mask.sum())
    kinks = max(4, n // 100_000)
    walk = EPS * n**0.5
    allowed = {name: walk * max(abs(float(x)), 1.0) for name, x in truth.items() if name != "grad"}
    allowed |= {name: x + kinks / n for name, x in allowed.items() if name.startswith("clip_frac")}
    allowed["grad"] = 8 * EPS * float(np.abs(truth["grad"]).max())
    return dict(
        name=f"{kind} with gradient, {rows} x {columns}",
        kind=kind,
        rows=rows,
        columns=columns,
        truth=truth,
        other=other,
        allowed=allowed,
        targets=targets,
        moved=rows * columns * 16,
        tokens=n,
        kinks=kinks,
    )


def masks(mask):
    """As booleans for us, as floats for verl, and how many are valid."""
    return torch.from_numpy(mask), torch.from_numpy(mask.astype(np.float32)), torch.tensor(float(mask.sum()))


def value_work(rng, rows, columns):
    from verl.trainer.ppo.core_algos import compute_value_loss

    mask = ragged(rng, rows, columns)
    v_old, ret = normal(rng, rows, columns), normal(rng, rows, columns)
    v = v_old + normal(rng, rows, columns, 0.2)
    leaf = torch.from_numpy(v).requires_grad_()
    t_old, t_ret = torch.from_numpy(v_old), torch.from_numpy(ret)
    tm, tf, n = masks(mask)
    answers = reader("loss", "clip_frac", "grad")

    def verl(v):
        return compute_value_loss(v, t_ret, t_old, tf, EPS_V)

    compiled_verl = with_grad(compile_for(verl), leaf)
    rivals = torch_rivals(value_loss, leaf, (t_old, t_ret, tm, n), answers) | {
        "verl, compute_value_loss": Rival(with_grad(verl, leaf), answers),
        "verl, compute_value_loss, compiled": Rival(compiled_verl, answers, code=compiled_verl),
    }
    in_f64 = value_in_f64(v, v_old, ret, mask)
    return Work(
        arrays={"v": v, "v_old": v_old, "ret": ret, "mask": mask},
        rivals=rivals,
        **common("value_loss", rows, columns, mask, in_f64, [Target("torch.compile", 1.2), COPY]),
    )


def verl_actor():
    """The part of verl's actor settings that its loss reads."""
    from verl.workers.config import ActorConfig

    return ActorConfig(
        strategy="fsdp",
        rollout_n=1,
        ppo_micro_batch_size_per_gpu=1,
        clip_ratio=EPS_CLIP,
        clip_ratio_low=EPS_CLIP,
        clip_ratio_high=EPS_CLIP,
        clip_ratio_c=C_DUAL,
    )


def policy_work(rng, rows, columns):
    from verl.trainer.ppo.core_algos import compute_policy_loss_vanilla

    mask = ragged(rng, rows, columns)
    logp_old, adv = -np.abs(normal(rng, rows, columns)), normal(rng, rows, columns)
    # A few tokens far off, so that the dual clip acts on some.
    far = np.where(rng.random((rows, columns)) < 0.02, np.float32(6), np.float32(1))
    logp = logp_old + normal(rng, rows, columns, 0.3) * far
    leaf = torch.from_numpy(logp).requires_grad_()
    t_old, t_adv = torch.from_numpy(logp_old), torch.from_numpy(adv)
    tm, tf, n = masks(mask)
    answers = reader("loss", "clip_frac", "clip_frac_lower", "approx_kl", "grad")
    settings = verl_actor()

    def verl(logp):
        loss, logged = compute_policy_loss_vanilla(t_old, logp, t_adv, tf, "token-mean", settings)
        return loss, *(logged["actor/" + name] for name in ("pg_clipfrac", "pg_clipfrac_lower", "ppo_kl"))

    rivals = torch_rivals(policy_loss, leaf, (t_old, t_adv, tm, n), answers) | {
        "verl, compute_policy_loss_vanilla": Rival(with_grad(verl, leaf), answers),
    }
    in_f64 = policy_in_f64(logp, logp_old, adv, mask)
    return Work(
        arrays={"logp": logp, "logp_old": logp_old, "adv": adv, "mask": mask},
        rivals=rivals,
        **common("policy_loss", rows, columns, mask, in_f64, [Target("torch.compile", 2.5), COPY]),
    )


def works(rng, small):
    rows, columns = (64, 131) if small else (1024, 2048)
    yield value_work(rng, rows, columns)
    yield policy_work(rng, rows, columns)
