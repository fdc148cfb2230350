"""`token_pass`: log-probability of the action and entropy of each row of logits, and the gradient of
sum(g_logp logp + g_ent ent).

Formulations and tolerances are those of `rivals/logits.py`. Where logits are bf16, verl's functions
round to it inside: an answer a token is held to eight such roundings, a gradient to 16 of its largest
element. Liger's loss is the negative log-probability, without an entropy: less work. It, ours in place
and verl's where it uses flash-attn replace their logits, which are their own copy; the first run is the
one whose answer is held against f64, and the others do the same on numbers of no meaning.
"""

import math

import torch

from rivals import logits as cpu
from rivals.work import EPS, EPS_BF16

from .work import Side, Work

LARGE = 24  # arrays of f32 of the logits' size that must fit, with the answers in f64 and what eager keeps
ROWS = 1 << 8  # that are widened to f64 at once


def in_f64(x, actions, g_logp, g_ent):
    """logp, ent, their gradient and that of log-probabilities alone."""
    logp, ent = (torch.empty(len(x), dtype=torch.float64, device=x.device) for _ in range(2))
    dx, dx_logp = (torch.empty(x.shape, dtype=torch.float64, device=x.device) for _ in range(2))
    for i in range(0, len(x), ROWS):
        part, at = slice(i, i + ROWS), actions[i : i + ROWS, None]
        g, h = g_logp[part, None].double(), g_ent[part, None].double()
        all_logp = torch.log_softmax(x[part].double(), -1)
        p = all_logp.exp()
        logp[part] = all_logp.gather(-1, at)[:, 0]
        ent[part] = -(p * all_logp).sum(-1)
        dx_logp[part] = (-p * g).scatter_add(-1, at, g)
        dx[part] = dx_logp[part] - p * h * (all_logp + ent[part, None])
    return {"logp": logp, "ent": ent, "dx": dx, "dx_logp": dx_logp}


def run_of_ours(ours, kernels, x, actions, g, to):
    """The forward pass, and the gradient to where `to` says: nowhere, apart, or in place."""

    def run():
        said = [ours.empty(len(x)) for _ in range(4)]
        apart = [ours.empty(*x.shape, dtype=x.dtype)] if to == "apart" else []
        kernels(x, actions, *said, *(g if to else ()), *apart)
        return (*said[:2], *(apart or [x])) if to else said[:2]

    return run


def liger(x, actions, g_logp, backward):
    """Its cross-entropy, which on its way forward puts the gradient where the logits were."""
    from liger_kernel.transformers import LigerCrossEntropyLoss

    loss, own = LigerCrossEntropyLoss(reduction="none"), x.clone()

    def run():
        logits = own.detach().requires_grad_(backward)
        said = loss(logits, actions)
        if not backward:
            return (-said,)
        (dx,) = torch.autograd.grad(said, logits, -g_logp.to(said.dtype))
        return -said.detach(), dx

    return run


def work(ours, device, rows, vocab, dtype, backward):
    short = {torch.float32: "f32", torch.bfloat16: "bf16"}[dtype]
    x = torch.empty((rows, vocab), dtype=dtype, device=device).normal_(0.0, 2.0)
    actions = torch.randint(vocab, (rows,), device=device)
    g = g_logp, g_ent = [torch.randn(rows, device=device) for _ in range(2)]
    truth = in_f64(x, actions, g_logp, g_ent)
    size = EPS * 256 * (float(x.abs().max()) + math.log(vocab))
    one = 512 * EPS + (EPS_BF16 if short == "bf16" else 0)
    largest = {name: float(truth[name].abs().max()) for name in ("dx", "dx_logp")}
    allowed = {"logp": size, "ent": size} | {name: most * one for name, most in largest.items()}
    coarse = {}
    if short == "bf16":
        coarse = dict.fromkeys(("logp", "ent"), 8 * EPS_BF16 / (256 * EPS)) | dict.fromkeys(largest, 16.0)
    narrow = actions.to(torch.int32)  # bit for bit the u32 that ours takes
    names = ("logp", "ent", "dx") if backward else ("logp", "ent")

    def of_ours(kind, to):
        kernels = ours.kind(f"{kind}_{short}", rows, vocab)
        return Side(run_of_ours(ours, kernels, x.clone() if to == "in place" else x, narrow, g, to), names)

    def rival(run, form, looser=None, own=False):
        def make():
            logits = x.clone() if own else x
            return Side(run(form(), logits, actions, *((g,) if backward else ())), names, looser or {})

        return make

    def forward(form, x, actions):
        return cpu.forward(form, x, actions)

    def two_passes(form, x, actions, g):
        return cpu.two_passes(form, x, actions, *g)

    def in_one(form, x, actions, g):
        return cpu.in_one(form, x, actions, *g)

    run = two_passes if backward else forward
    rivals = {"torch eager": rival(run, lambda: cpu.by_logsumexp)}
    for name, form in (("logsumexp", cpu.by_logsumexp), ("log_softmax", cpu.by_log_softmax)):
        rivals[f"torch.compile, {name}"] = rival(run, lambda form=form: cpu.compile_for(form))
        if backward:
            rivals[f"torch.compile, {name}, in one"] = rival(in_one, lambda form=form: form)
    # With flash-attn verl's gradient replaces its logits.
    rivals["verl, logprobs_from_logits and entropy_from_logits"] = rival(
        run, lambda: cpu.by_verl, coarse, own=backward
    )
    names_of_liger = ("logp", "dx_logp") if backward else ("logp",)
    rivals["Liger, cross-entropy"] = lambda: Side(
        liger(x, actions, g_logp, backward), names_of_liger, coarse, "no entropy" + "; in place" * backward
    )
    ours_too = {"ours": of_ours("grad", "apart")} if backward else {"ours": of_ours("forward", "")}
    if backward:
        ours_too["ours, in place"] = of_ours("grad_in_place", "in place")
    what = "forward + gradient" if backward else "forward"
    return Work(
        name=f"token_pass {what}, {rows} x {vocab}, {short}",
        truth=truth,
        allowed=allowed,
        ours=ours_too,
        rivals=rivals,
    )


def fitting(device, vocab):
    """8192 rows, or what the memory allows."""
    if device.type != "cuda":
        return 8192
    return min(8192, torch.cuda.mem_get_info(device)[0] // (4 * LARGE * vocab))


def works(small):
    """Forward, and with the gradient, in f32 and in bf16."""
    for dtype in (torch.float32, torch.bfloat16):
        for backward in (False, True):
            yield lambda ours, device, dtype=dtype, backward=backward: work(
                ours,
                device,
                *((8, 1031) if small else (fitting(device, 128_256), 128_256)),
                dtype,
                backward,
            )
