"""Make the sample rollout: a small actor-critic, one PPO step, five dumps.

A language model with a value head on its own backbone samples a batch, is
rewarded, and is moved by three epochs of PPO. The fourth epoch is the step
that is written down, inputs, outputs and gradients, as PyTorch computes it:
in f32 and f64, corrected and as the post prints it, and once more with as many
options as one file can hold.

Everything about the step is in `ppo_step`, in the order of the post's listing
(Roy, "The Full PPO Training Step"). Symbols: v is V, ret is R, adv is A, ent is
H, logp is log pi, d is log rho, kl1 is log pi - log pi_ref. A batch is B
sequences of T_LEN response slots over VOCAB tokens.
"""

import copy
import json
import pathlib

import safetensors.torch
import torch
from torch import nn

SEED, LR, WARM_UP = 230, 2.3e-3, 3  # a seed for which check_aims holds
B, PROMPT, T_LEN, D_MODEL = 7, 5, 18, 32
STOP, LETTERS = 0, "abcdefghijklmnopqrstuvwxyz"  # token 0 stops, 1..26 are a..z
VOCAB = 1 + len(LETTERS)
VOWELS = torch.tensor([1 + LETTERS.index(c) for c in "aeiou"])

# Slots (row, token) taken out of the mask for the options: gaps inside rows,
# one of them before a bootstrap, and a leading one (row 2).
GAPS = tuple(zip((0, 1), (2, 0), (2, 1), (2, 9), (3, 6), (3, 7), (3, 8), (3, 9),
                 (5, 12), (6, 4), (6, 5)))

# Every setting that the step reads, and the choices that it has built in
# (score_at, whiten, value_clip_form, count_empty_rows). They go into the files.
BASE = dict(
    gamma=0.9, lam=0.8, gap="skip",
    kl_coef=0.05, kl_estimator="k1", kl_clamp_in=None, kl_clamp_out=None,
    kl_loss_coef=0.0, kl_loss_kind="k3", score_at="last-valid", score_clip=None,
    whiten="on", shift_mean=True, variance="sample", eps_at="std", eps=1e-8,
    cliprange=0.2, clip_ratio_c=None, log_ratio_clamp=None,
    clipfrac="effective", ppo_kl_kind="k1",
    cliprange_value=0.2, value_clip_form="max", vf_half=False,
    vf_coef=0.5, entropy_coef=0.01, loss_agg_mode="token-mean",
    count_empty_rows=False, temperature=0.8, entropy_temperature=0.8,
)
OPTIONS = {k: x for k, x in BASE.items() if k != "cliprange"} | dict(
    lam_critic=0.95, gap="decay", kl_estimator="k3", kl_clamp_in=0.3,
    kl_clamp_out=0.045, kl_loss_coef=0.1, score_clip=0.75, shift_mean=False,
    variance="population", eps_at="under-root", eps=1e-5, cliprange_low=0.1,
    cliprange_high=0.3, clip_ratio_c=1.5, log_ratio_clamp=0.6,
    clipfrac="sign-blind", ppo_kl_kind="k3", ppo_kl_of="clamped", vf_half=True,
    loss_agg_mode="seq-mean-token-mean", entropy_temperature=1.3,
)
SCALARS = ("pg_loss", "vf_loss", "entropy_loss", "kl_loss", "total_loss",
           "pg_clipfrac", "pg_clipfrac_lower", "vf_clipfrac", "ppo_kl")


# The model and the rollout ------------------------------------------------

class ActorCritic(nn.Module):
    """One backbone, two heads: logits of the next token, and V = W_v h."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, D_MODEL)
        self.position = nn.Embedding(PROMPT + T_LEN, D_MODEL)
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(
            D_MODEL, 4, 4 * D_MODEL, dropout=0.0, activation="gelu",
            batch_first=True, norm_first=True) for _ in range(2))
        self.norm = nn.LayerNorm(D_MODEL)
        self.lm_head = nn.Linear(D_MODEL, VOCAB)
        self.value_head = nn.Linear(D_MODEL, 1, bias=False)
        with torch.no_grad():
            self.lm_head.weight *= 2.0  # a policy with preferences ...
            self.lm_head.bias[STOP] += 1.0  # ... one of them to stop
            self.value_head.weight *= 1.5

    def forward(self, tokens):
        h = self.embed(tokens) + self.position.weight[:tokens.shape[1]]
        causal = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        for block in self.blocks:
            h = block(h, src_mask=causal, is_causal=True)
        h = self.norm(h)
        return self.lm_head(h), self.value_head(h).squeeze(-1)


def evaluate(model, prompts, actions):
    """Logits and V that *precede* each response token, and V that follows."""
    logits, v = model(torch.cat([prompts, actions], 1))
    return logits[:, PROMPT - 1:-1], v[:, PROMPT - 1:-1], v[:, PROMPT:]


def token_logp(logits, actions, tau):
    """log pi of the sampled tokens at temperature tau."""
    logp = torch.log_softmax(logits / tau, -1)
    return logp.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def generate(model, prompts, tau):
    """Sample until the stop token or T_LEN; the rest of a row is stop tokens.

    The sampling engine rounds logits to quarters, a coarse stand-in for one in
    low precision: its log-probs differ from those that training recomputes.
    """
    tokens, ended, logps = prompts, torch.zeros(B, dtype=torch.bool), []
    for _ in range(T_LEN):
        logits = torch.round(model(tokens)[0][:, -1] * 4) / 4
        action = torch.multinomial(torch.softmax(logits / tau, -1), 1)
        action = torch.where(ended.unsqueeze(1), STOP, action)
        logps.append(token_logp(logits, action.squeeze(1), tau))
        tokens = torch.cat([tokens, action], 1)
        ended = ended | (action.squeeze(1) == STOP)
    return tokens[:, PROMPT:], torch.stack(logps, 1)


def reward_model(actions, mask):
    """Half a point for every vowel in the response, less one."""
    return 0.5 * (torch.isin(actions, VOWELS) & mask).sum(1) - 1.0


@torch.no_grad()
def rollout(policy, reference, tau):
    """Phase 1 of the post: sample, score, and freeze what the policy said.

    Padded slots hold what the models say there: finite numbers that only
    the as-printed listing reads.
    """
    prompts = torch.randint(1, VOCAB, (B, PROMPT))
    actions, sampler_logp = generate(policy, prompts, tau)
    stops_before = (actions == STOP).cumsum(1) - (actions == STOP).long()
    mask = stops_before == 0  # up to and including the first stop token
    last = mask.sum(1, keepdim=True) - 1
    logits, v, v_after = evaluate(policy, prompts, actions)
    old_logp = token_logp(logits, actions, tau)
    ref_logits = evaluate(reference, prompts, actions)[0]
    return prompts, dict(
        response_mask=mask,
        scores=reward_model(actions, mask),
        truncated=actions.gather(1, last).squeeze(1) != STOP,
        last_values=v_after.gather(1, last).squeeze(1),
        actions=actions,
        old_values=v,
        old_log_probs=old_logp,
        ref_log_probs=token_logp(ref_logits, actions, tau),
    ), torch.exp(old_logp - sampler_logp).clamp(max=2.0)


# The step -----------------------------------------------------------------

def clamp(x, bound):
    """x held within [-bound, bound]; None leaves it alone."""
    return x if bound is None else x.clamp(-bound, bound)


def ratio_bounds(s):
    """1 - eps_lo and 1 + eps_hi."""
    both = s.get("cliprange")
    return 1 - s.get("cliprange_low", both), 1 + s.get("cliprange_high", both)


def kl_estimate(kind, kl1):
    """k1 = log pi - log pi_ref, or k3 = exp(-k1) - 1 + k1."""
    return {"k1": kl1, "k3": torch.exp(-kl1) - 1 + kl1}[kind]


def gae(rewards, v_old, mask, v_end, s, lam):
    """The recursion from the last valid token to the first.

    delta_t = r_t + gamma V_{t+1} - V_t and A_t = delta_t + gamma lam A_{t+1}.
    What follows the last valid token is v_end. A gap inside a row is stepped
    over (skip), or is a token with neither reward nor value (decay).
    """
    rewards, v_old = rewards * mask, v_old * mask
    adv, v_next, column = torch.zeros_like(v_end), v_end, []
    for t in reversed(range(mask.shape[1])):
        delta = rewards[:, t] + s["gamma"] * v_next - v_old[:, t]
        live = mask[:, t] if s["gap"] == "skip" else mask[:, t:].any(1)
        adv = torch.where(live, delta + s["gamma"] * lam * adv, adv)
        v_next = torch.where(live, v_old[:, t], v_next)
        column.insert(0, adv)
    return torch.stack(column, 1)


def whiten(adv, mask, s):
    """Zero mean and unit variance over the valid tokens."""
    n = mask.sum()
    mean = (adv * mask).sum() / n
    squares = ((adv - mean) ** 2 * mask).sum()
    var = squares / (n - 1 if s["variance"] == "sample" else n)
    std = var.sqrt() + s["eps"] if s["eps_at"] == "std" else (var + s["eps"]).sqrt()
    return (adv - mean) / std + (0.0 if s["shift_mean"] else mean)


def token_mean(x, mask):
    """One mean over all valid tokens of the batch."""
    return (x * mask).sum() / mask.sum()


def aggregate(x, mask, s):
    """The mean over tokens, or over rows of each row's mean (no row is empty)."""
    if s["loss_agg_mode"] == "token-mean":
        return token_mean(x, mask)
    return ((x * mask).sum(1) / mask.sum(1)).mean()


def ppo_step(inputs, s, listing):
    """One inner epoch with the rollout phase before it, as the post lists them.

    Where the corrected listing leaves the printed one: rewards are per token,
    with the KL inside; GAE starts from V after a truncated response; returns
    are formed before whitening; every mean is over valid tokens. As printed,
    returns_from_whitened and unmasked undo the last two, and nothing else: the
    mask is all ones before anything is read, so every slot is charged KL, the
    score stands in the row's last slot, and V after a truncated row follows it.
    """
    returns_from_whitened = unmasked = listing == "as-printed"
    mask, actions = inputs["response_mask"], inputs["actions"]
    if unmasked:
        mask = torch.ones_like(mask)
    v, v_old = inputs["values"], inputs["old_values"]
    old_logp, ref_logp = inputs["old_log_probs"], inputs["ref_log_probs"]

    # Token rewards: -beta kl everywhere, the score at the last valid token.
    kl = kl_estimate(s["kl_estimator"], clamp(old_logp - ref_logp, s["kl_clamp_in"]))
    kl = clamp(kl, s["kl_clamp_out"])
    last = mask & (mask.flip(1).cumsum(1).flip(1) == 1)
    score = clamp(inputs["scores"], s["score_clip"])
    rewards = -s["kl_coef"] * kl + last * score.unsqueeze(1)

    # GAE, returns, whitening.
    v_end = torch.where(inputs["truncated"], inputs["last_values"], 0.0)
    adv_raw = gae(rewards, v_old, mask, v_end, s, s["lam"])
    adv = whiten(adv_raw, mask, s)
    ret = gae(rewards, v_old, mask, v_end, s, s.get("lam_critic", s["lam"])) + v_old
    if returns_from_whitened:
        ret = adv + v_old

    # Policy loss; c bounds the loss of a token with A < 0 (dual clip).
    logp = token_logp(inputs["logits"], actions, s["temperature"])
    d = clamp(logp - old_logp, s["log_ratio_clamp"])
    ratio = torch.exp(d)
    lo, hi = ratio_bounds(s)
    s1, s2 = ratio * adv, ratio.clamp(lo, hi) * adv
    surrogate = torch.min(s1, s2)
    clipped = s2 < s1 if s["clipfrac"] == "effective" else (ratio < lo) | (ratio > hi)
    lower = torch.zeros_like(mask)
    if s["clip_ratio_c"] is not None:
        floor = s["clip_ratio_c"] * adv
        lower = (adv < 0) & (surrogate < floor)
        surrogate = torch.where(adv < 0, torch.max(surrogate, floor), surrogate)
    pg_loss = aggregate(-surrogate * inputs.get("rollout_is_weights", 1.0), mask, s)

    # Value loss: the larger of two squared errors. clip(V, V_old -+ eps_v) is V
    # itself inside the range, so that a rounding never counts as a clip.
    eps_v = s["cliprange_value"]
    v_clip = torch.clamp(v, v_old - eps_v, v_old + eps_v)
    plain, held = (v - ret) ** 2, (v_clip - ret) ** 2
    vf_loss = aggregate(torch.max(plain, held), mask, s)
    if s["vf_half"]:
        vf_loss = 0.5 * vf_loss

    # Entropy, KL loss, total.
    all_logp = torch.log_softmax(inputs["logits"] / s["entropy_temperature"], -1)
    ent = -(all_logp.exp() * all_logp).sum(-1)
    entropy_loss = aggregate(ent, mask, s)
    kl_loss = aggregate(kl_estimate(s["kl_loss_kind"], logp - ref_logp), mask, s)
    total = pg_loss + s["vf_coef"] * vf_loss - s["entropy_coef"] * entropy_loss
    if s["kl_loss_coef"] > 0:
        total = total + s["kl_loss_coef"] * kl_loss
    return dict(
        token_rewards=rewards, kl=kl, advantages_raw=adv_raw, returns=ret, whitened=adv,
        ratio=ratio, log_probs=logp, entropy=ent, pg_loss=pg_loss, vf_loss=vf_loss,
        entropy_loss=entropy_loss, kl_loss=kl_loss, total_loss=total,
        pg_clipfrac=token_mean(clipped.to(v.dtype), mask),
        pg_clipfrac_lower=token_mean(lower.to(v.dtype), mask),
        vf_clipfrac=token_mean((held > plain).to(v.dtype), mask),
        ppo_kl=token_mean(kl_estimate(s["ppo_kl_kind"], -d), mask),
    ), mask


def measure(inputs, s, listing="corrected"):
    """The step's outputs and gradients of total_loss; masked slots become 0."""
    inputs = dict(inputs)
    for name in ("logits", "values"):
        inputs[name] = inputs[name].clone().requires_grad_()
    out, mask = ppo_step(inputs, s, listing)
    nodes = dict(log_probs=out["log_probs"], values=inputs["values"], logits=inputs["logits"])
    grads = torch.autograd.grad(out["total_loss"], list(nodes.values()))
    out |= {f"grad_{name}": grad for name, grad in zip(nodes, grads)}
    if s["kl_loss_coef"] == 0:
        del out["kl_loss"]
    if s["clip_ratio_c"] is None:
        del out["pg_clipfrac_lower"]
    dtype = inputs["values"].dtype
    shape = {0: (), 2: mask.shape, 3: (*mask.shape, 1)}
    return {name: torch.where(mask.view(shape[x.dim()]), x.detach(), 0.0).to(dtype)
            if x.dim() else x.detach().to(dtype) for name, x in out.items()}


def train(policy, optimizer, prompts, frozen, epochs):
    """Phase 2 of the post: inner epochs on one rollout, gradients flow."""
    for _ in range(epochs):
        logits, v, _ = evaluate(policy, prompts, frozen["actions"])
        out, _ = ppo_step(frozen | dict(logits=logits, values=v), BASE, "corrected")
        optimizer.zero_grad()
        out["total_loss"].backward()
        nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()


def sample_batch(seed):
    """The rollout, the moved policy's logits and V, and the options' extras."""
    torch.manual_seed(seed)
    policy = ActorCritic()
    reference = copy.deepcopy(policy)
    optimizer = torch.optim.Adam(policy.parameters(), lr=LR)
    for iteration in range(WARM_UP + 1):  # the last one is the sample
        prompts, frozen, weights = rollout(policy, reference, BASE["temperature"])
        train(policy, optimizer, prompts, frozen, epochs=4 if iteration < WARM_UP else 3)
    with torch.no_grad():
        logits, v, _ = evaluate(policy, prompts, frozen["actions"])
    inputs = frozen | dict(logits=logits, values=v)
    mask = inputs["response_mask"].clone()
    mask[GAPS] = False
    return inputs, inputs | dict(response_mask=mask, rollout_is_weights=weights)


# Checks, files, table -------------------------------------------------------

def check_kinks(inputs, s, listing):
    """Keep every valid token 1e-4 (relative) off each change of branch.

    So f32 and f64 take the same branch. Returns the tokens that were looked at.
    """
    out, mask = ppo_step(inputs, s, listing)
    t = {k: x[mask] for k, x in (inputs | out).items() if x.shape == mask.shape}
    d, moved = t["log_probs"] - t["old_log_probs"], t["values"] - t["old_values"]
    kl1, eps_v = t["old_log_probs"] - t["ref_log_probs"], s["cliprange_value"]
    plain = (t["values"] - t["returns"]).abs()
    held = (t["old_values"] + clamp(moved, eps_v) - t["returns"]).abs()
    outside = moved.abs() > eps_v
    kl = kl_estimate(s["kl_estimator"], clamp(kl1, s["kl_clamp_in"]))
    lo, hi = ratio_bounds(s)
    for x, *bounds in (
        (d.exp(), lo, hi, s["clip_ratio_c"]), (d.abs(), s["log_ratio_clamp"]),
        (kl1.abs(), s["kl_clamp_in"]), (kl.abs(), s["kl_clamp_out"]),
        (inputs["scores"].abs(), s["score_clip"]), (1 + t["whitened"], 1.0),
        (moved.abs(), eps_v), ((plain / held)[outside], 1.0),
    ):
        for bound in filter(None, bounds):
            assert ((x - bound).abs() > 1e-4 * bound).all(), (listing, bound)
    return t | dict(d=d, moved=moved, kl1=kl1, outside=outside, held_wins=held > plain)


def check_aims(batch, options):
    """The batch is ragged, and every branch of the step is taken by some token."""
    lengths, cut = batch["response_mask"].sum(1), batch["truncated"]
    assert lengths.min() <= 2 and cut.sum() >= 2 and (lengths < T_LEN).sum() >= 3
    assert len(set(lengths.tolist())) >= 4 and (batch["last_values"].abs() > 0.01).all()
    check_kinks(batch, BASE, "as-printed")
    t, o = check_kinks(batch, BASE, "corrected"), check_kinks(options, OPTIONS, "corrected")
    up, adv, ratio, moved = t["whitened"] > 0, t["whitened"], t["ratio"], t["moved"]
    assert 0.1 < ((adv * ratio) > (adv * ratio.clamp(*ratio_bounds(BASE)))).float().mean() < 0.4
    assert 0.1 < (t["outside"] & t["held_wins"]).float().mean() < 0.5
    for aim, seen in dict(
        clipped_above=up & (ratio > 1.2), clipped_below=~up & (ratio < 0.8),
        free_below=up & (ratio < 0.8), free_above=~up & (ratio > 1.2),
        v_rose=moved > 0.2, v_fell=moved < -0.2,
        clipped_error_wins=t["outside"] & t["held_wins"],
        plain_error_wins=t["outside"] & ~t["held_wins"],
        kl_clamp_in=o["kl1"] > OPTIONS["kl_clamp_in"],
        kl_clamp_out=o["kl1"] < -OPTIONS["kl_clamp_in"],
        score_clip=batch["scores"].abs() > OPTIONS["score_clip"],
        log_ratio_clamp=o["d"].abs() > OPTIONS["log_ratio_clamp"],
        dual_clip=(o["whitened"] < 0) & (o["ratio"] > OPTIONS["clip_ratio_c"]),
    ).items():
        assert seen.any(), aim


def save(name, tensors, s, listing):
    """Write a dump; the header is sorted, which the library leaves to chance."""
    version = torch.__version__.split("+")[0]
    s = s | dict(listing=listing, grad_of="total_loss", made_by=f"make.py, PyTorch {version}")
    text = {None: "off", True: "true", False: "false"}
    metadata = {k: text[x] if x is None or isinstance(x, bool) else str(x) for k, x in s.items()}
    tensors = {k: x.contiguous() for k, x in tensors.items()}
    data = safetensors.torch.save(tensors, metadata)
    body = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:body]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    path = pathlib.Path(__file__).with_name(name)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[body:])


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    batch, options = sample_batch(SEED)
    check_aims(batch, options)

    def widen(inputs):
        return {k: x.double() if x.is_floating_point() else x for k, x in inputs.items()}

    files = {
        "step": (batch, BASE, "corrected"),
        "step-f64": (widen(batch), BASE, "corrected"),
        "step-as-printed": (batch, BASE, "as-printed"),
        "step-as-printed-f64": (widen(batch), BASE, "as-printed"),
        "options-f64": (widen(options), OPTIONS, "corrected"),
    }
    outs = {name: measure(*step) for name, step in files.items()}
    for name, (inputs, s, listing) in files.items():
        save(f"{name}.safetensors", inputs | outs[name], s, listing)
    for name in ("step", "step-as-printed"):
        for key, want in outs[f"{name}-f64"].items():
            off = (outs[name][key] - want).abs().max()
            assert off <= 2e-5 * want.abs().max(), (name, key)

    print("lengths", *batch["response_mask"].sum(1).tolist())
    print("|".join(["", "scalar", *(f"`{name}`" for name in outs), ""]))
    print("|".join(["", *["---"] * (1 + len(outs)), ""]))
    for key in SCALARS:
        row = [f"{out[key].item():.9f}" if key in out else "" for out in outs.values()]
        print("|".join(["", f"`{key}`", *row, ""]))


if __name__ == "__main__":
    main()
