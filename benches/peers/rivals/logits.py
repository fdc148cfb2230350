"""`token_pass`: log-probability of the action and entropy of each row of logits, and their gradient.

The gradient is that of sum(g_logp logp + g_ent ent) in the logits. torch computes in f32
also where logits are bf16, as ours does; verl's and TRL's functions take bf16 as it is, with
roundings to bf16 inside, and are only held to those.

Tolerances: an entropy or a log-probability 256 roundings to f32 of the largest |logit| + ln(vocab),
since partial sums of softmax times logits are that large and come in long chains; a gradient 512 of
its largest element, by the same chains, and where it is stored in bf16 one rounding to bf16 besides.
"""

import numpy as np
import torch

from .compiled import compile_for
from .work import EPS, EPS_BF16, Rival, Target, Work


def by_logsumexp(x, actions):
    """As verl, TRL and OpenRLHF write it."""
    x = x.float()
    lse = torch.logsumexp(x, -1)
    logp = x.gather(-1, actions[:, None]).squeeze(-1) - lse
    return logp, lse - (torch.softmax(x, -1) * x).sum(-1)


def by_log_softmax(x, actions):
    """As torch.distributions.Categorical does, in fewer operations."""
    all_logp = torch.log_softmax(x.float(), -1)
    return all_logp.gather(-1, actions[:, None]).squeeze(-1), -(all_logp.exp() * all_logp).sum(-1)


def by_verl(x, actions):
    from verl.utils.torch_functional import entropy_from_logits, logprobs_from_logits

    return logprobs_from_logits(x, actions), entropy_from_logits(x)


def by_trl(x, actions):
    from trl.trainer.utils import entropy_from_logits, selective_log_softmax

    return selective_log_softmax(x, actions), entropy_from_logits(x)


def in_f64(x, actions, g_logp, g_ent):
    """Row by row, since a whole copy in f64 of every intermediate would be too large."""
    logp, ent, dx = [], [], np.empty(x.shape)
    for i, row in enumerate(x):
        row = row.double()
        all_logp = torch.log_softmax(row, -1)
        p = all_logp.exp()
        logp.append(all_logp[actions[i]].item())
        ent.append(-(p * all_logp).sum().item())
        grad = -p * (g_logp[i].item() + g_ent[i].item() * (all_logp + ent[-1]))
        grad[actions[i]] += g_logp[i].item()
        dx[i] = grad.numpy()
    return {"logp": np.array(logp), "ent": np.array(ent), "dx": dx}


def wide(x):
    """As a numpy array, bf16 widened."""
    return x.detach().float().numpy()


def forward(function, x, actions):
    """Log-probabilities and entropies, no gradient wanted."""

    @torch.no_grad()
    def run():
        return function(x, actions)

    return run


def two_passes(function, x, actions, g_logp, g_ent):
    """Forward, then backward under autograd."""
    leaf = x.detach().requires_grad_()

    def run():
        out = function(leaf, actions)
        (dx,) = torch.autograd.grad(out, leaf, tuple(g.to(y.dtype) for g, y in zip((g_logp, g_ent), out)))
        return *out, dx

    return run


def in_one(function, x, actions, g_logp, g_ent):
    """Forward and backward as one compiled function."""

    @compile_for
    def both(x, actions, g_logp, g_ent):
        out, back = torch.func.vjp(lambda x: function(x, actions), x)
        return *out, back((g_logp, g_ent))[0]

    @torch.no_grad()
    def run():
        return both(x, actions, g_logp, g_ent)

    return run


def rivals_of(run, x, actions, extra=()):
    """The rivals that `run` makes of each formulation."""

    def answers(out):
        return {name: wide(y) for name, y in zip(("logp", "ent", "dx"), out)}

    args = (x, actions, *extra)
    # Eight roundings to bf16 in place of the 256 to f32 that the tolerance grants.
    coarse = 8 * EPS_BF16 / (256 * EPS) if x.dtype == torch.bfloat16 else 1.0
    rivals = {"torch eager": Rival(run(by_logsumexp, *args), answers)}
    for name, form in (("logsumexp", by_logsumexp), ("log_softmax", by_log_softmax)):
        fast = run(compile_for(form), *args)
        rivals[f"torch.compile, {name}"] = Rival(fast, answers, "torch.compile", code=fast)
    verl, trl = (Rival(run(form, *args), answers, looser=coarse) for form in (by_verl, by_trl))
    rivals["verl, logprobs_from_logits and entropy_from_logits"] = verl
    rivals["TRL, selective_log_softmax and entropy_from_logits"] = trl
    return rivals, answers


def pair(rng, rows, vocab, dtype):
    """The forward pass, and the forward pass with the gradient, on the same logits."""
    x = torch.from_numpy(rng.standard_normal((rows, vocab), dtype=np.float32) * np.float32(2)).to(dtype)
    actions = torch.from_numpy(rng.integers(0, vocab, rows))
    g_logp, g_ent = (torch.from_numpy(rng.standard_normal(rows, dtype=np.float32)) for _ in range(2))
    short = {torch.float32: "f32", torch.bfloat16: "bf16"}[dtype]
    bits = x.view(torch.uint16).numpy() if dtype == torch.bfloat16 else x.numpy()
    truth = in_f64(x, actions, g_logp, g_ent)
    size = EPS * 256 * (float(x.abs().max()) + np.log(vocab))
    largest = float(np.abs(truth["dx"]).max())
    allowed = {"logp": size, "ent": size, "dx": largest * (512 * EPS + (EPS_BF16 if short == "bf16" else 0))}
    arrays = {"logits": bits, "actions": actions.numpy().astype(np.uint32)}
    width = x.element_size() * x.numel()
    shared = dict(rows=rows, columns=vocab, truth=truth, allowed=allowed, tokens=rows)

    rivals, answers = rivals_of(forward, x, actions)
    only_f32 = [Target("ceiling", 0.6, streams="read"), Target("free order, same exp", 0.95)]
    yield Work(
        name=f"token_pass forward, {rows} x {vocab}, {short}",
        kind=f"token_pass_{short}",
        arrays=arrays | {"g_logp": g_logp.numpy(), "g_ent": g_ent.numpy()},
        rivals=rivals,
        targets=[Target("torch.compile", 6)] + (only_f32 if short == "f32" else []),
        moved=width,
        phases={"ours": ("forward", width), "free order, same exp": ("free", width)},
        **shared,
    )
    del rivals
    rivals, answers = rivals_of(two_passes, x, actions, (g_logp, g_ent))
    for name, form in (("logsumexp", by_logsumexp), ("log_softmax", by_log_softmax)):
        fast = in_one(form, x, actions, g_logp, g_ent)
        rivals[f"torch.compile, {name}, in one"] = Rival(fast, answers, "torch.compile", code=fast)
    copy = Target("ceiling", 0.9, ours="ours, gradient alone", streams="copy_1_1")
    yield Work(
        name=f"token_pass forward + gradient, {rows} x {vocab}, {short}",
        kind=f"token_pass_{short}",
        arrays={},
        same_as=f"token_pass forward, {rows} x {vocab}, {short}",
        rivals=rivals,
        targets=[Target("torch.compile", 5), copy] if short == "f32" else [],
        moved=3 * width,
        phases={"ours": ("forward_grad", 3 * width), "ours, gradient alone": ("grad", 2 * width)},
        **shared,
    )


def works(rng, small):
    rows, vocab = (16, 4099) if small else (512, 128_256)
    yield from pair(rng, rows, vocab, torch.float32)
    yield from pair(rng, rows, vocab, torch.bfloat16)
