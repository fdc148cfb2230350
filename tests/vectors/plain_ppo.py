"""The PPO step in plain numpy, written from the equations: what a module for run.py looks like.

One function a term, function(inputs, settings) -> outputs. Arrays are (B, L); m is the mask. What stands in a masked slot is
never read: it may be NaN, so it is replaced and not multiplied away. Arithmetic stays in the dtype of the inputs."""

import numpy as np


def off(value):
    """A bound, where "off" is none."""
    return np.inf if value in ("off", "none") else value


def kept(m, x, otherwise=0):
    """x where the mask is, of x's own dtype."""
    return np.where(m, x, np.asarray(otherwise, dtype=np.asarray(x).dtype))


def log_softmax(z, tau):
    x = z / np.asarray(tau, dtype=z.dtype)
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def logits_of(inputs):
    return kept(inputs["response_mask"][..., None], inputs["logits"])


def taken(x, actions, m):
    return np.take_along_axis(x, kept(m, actions)[..., None], axis=-1)[..., 0]


def log_prob(inputs, settings):
    m = inputs["response_mask"]
    return {"log_probs": taken(log_softmax(logits_of(inputs), settings["temperature"]), inputs["actions"], m)}


def entropy(inputs, settings):
    logp = log_softmax(logits_of(inputs), settings["entropy_temperature"])
    pi = np.exp(logp)
    ent = -np.where(pi > 0, pi * np.where(pi > 0, logp, 0), 0).sum(axis=-1)
    return {"entropy": ent, "entropy_loss": mean(ent, inputs["response_mask"], settings)}


def estimate(k1, kind, clamp_in=np.inf, clamp_out=np.inf):
    k1 = np.clip(k1, -clamp_in, clamp_in).astype(k1.dtype)
    with np.errstate(over="ignore"):
        k = {"k1": k1, "abs": np.abs(k1), "k2": k1 * k1 / 2, "k3": np.exp(-k1) - 1 + k1}[kind]
    return np.clip(k, -clamp_out, clamp_out).astype(k1.dtype)


def kl(inputs, settings):
    k1 = kept(inputs["response_mask"], inputs["old_log_probs"] - inputs["ref_log_probs"])
    clamps = off(settings["kl_clamp_in"]), off(settings["kl_clamp_out"])
    return {"kl": estimate(k1, settings["kl_estimator"], *clamps)}


def ends_of(m):
    """The index after the last valid token of each row, 0 where there is none."""
    return np.where(m.any(axis=1), m.shape[1] - np.argmax(m[:, ::-1], axis=1), 0)


def critic_mask(m, settings):
    """The mask of rewards, GAE, returns and the value loss: one slot longer where the score lands on the first pad."""
    if settings.get("score_at") != "first-pad":
        return m
    end, slots = ends_of(m)[:, None], np.arange(m.shape[1])
    return m | ((slots == end) & (end > 0))


def reward(inputs, settings):
    m = inputs["response_mask"]
    (b, t_len), scores, at = m.shape, inputs["scores"], settings["score_at"]
    clip = off(settings["score_clip"])
    scores = np.clip(scores, -clip, clip).astype(scores.dtype)
    if at == "per-token":
        placed = kept(m, scores)
    else:
        end = ends_of(inputs["attention_mask"] if at == "last-attended" else m)
        slot = np.minimum(end, t_len - 1) if at == "first-pad" else end - 1
        placed = np.zeros((b, t_len), dtype=scores.dtype)
        rows = np.flatnonzero(m.any(axis=1))
        placed[rows, slot[rows]] = scores[rows]
    out = {}
    if "ref_log_probs" in inputs:
        out = kl(inputs, settings)
        placed = placed - np.asarray(settings["kl_coef"], dtype=placed.dtype) * out["kl"]
    return {**out, "token_rewards": kept(critic_mask(m, settings), placed)}


def episode_ends(inputs, settings, m):
    """For each token: whether an episode ends with it, and V after it where it ends or is the row's last."""
    (b, t_len), end = m.shape, ends_of(m)
    none = np.zeros((b, t_len), dtype=bool)
    v_after = np.zeros((b, t_len), dtype=inputs["old_values"].dtype)
    terminated = kept(m, inputs.get("terminated", none))
    cut = inputs.get("truncated", none)
    last_values = inputs.get("last_values")
    if cut.ndim == 1:
        last_values, cut = np.where(cut, last_values, 0), none
    elif "truncated" in inputs:
        v_after = kept(m & cut, inputs.get("bootstrap_values", v_after))
    cut = kept(m, cut)
    dones = inputs.get("dones", none)
    if settings["done_at"] == "next-start" and "dones" in inputs:
        shifted = none.copy()
        for row in range(b):
            tokens = np.flatnonzero(m[row])
            shifted[row, tokens[:-1]] = dones[row, tokens[1:]]
            shifted[row, tokens[-1:]] = inputs["last_dones"][row]
        dones = shifted
    terminated = terminated | (kept(m, dones) & ~cut)
    for row in np.flatnonzero(end):
        if last_values is not None and not (terminated | cut)[row, end[row] - 1]:
            v_after[row, end[row] - 1] = last_values[row]
    return terminated | cut, v_after


def advantages(inputs, settings, lam, rewards):
    m, v = critic_mask(inputs["response_mask"], settings), inputs["old_values"]
    gamma, lam = (np.asarray(x, dtype=v.dtype) for x in (settings["gamma"], lam))
    stops, v_after = episode_ends(inputs, settings, m)
    end, adv = ends_of(m), np.zeros_like(v)
    for row in range(m.shape[0]):
        v_next = v_after[row, end[row] - 1] if end[row] else v.dtype.type(0)
        carry = v.dtype.type(0)
        for t in reversed(range(end[row])):
            if not m[row, t]:
                if settings["gap"] == "decay":  # a step with r = V = 0
                    carry, v_next = gamma * v_next + gamma * lam * carry, v.dtype.type(0)
                elif settings["gap"] == "cut":
                    carry, v_next = v.dtype.type(0), v.dtype.type(0)
                continue
            if stops[row, t]:
                carry, v_next = v.dtype.type(0), v_after[row, t]
            delta = rewards[row, t] + gamma * v_next - v[row, t]
            carry = adv[row, t] = delta + gamma * lam * carry
            v_next = v[row, t]
    return adv


def gae(inputs, settings):
    return {"advantages_raw": advantages(inputs, settings, settings["lam"], inputs["rewards"])}


def whiten(inputs, settings):
    m, adv = inputs["response_mask"], inputs["advantages_raw"]
    x, eps = adv[m], np.asarray(settings["eps"], dtype=adv.dtype)
    n, mu = x.size, x.sum() / x.dtype.type(x.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        var = ((x - mu) ** 2).sum() / x.dtype.type(n - 1 if settings["variance"] == "sample" else n)
    scale = {
        "std": lambda: np.sqrt(var) + eps,
        "under-root": lambda: np.sqrt(var + eps),
        "var-floor": lambda: np.sqrt(np.maximum(var, eps)),
    }[settings["eps_at"]]()
    white = (kept(m, adv) - mu) / scale
    return {"whitened": kept(m, white if settings["shift_mean"] else white + mu)}


def returns(inputs, settings):
    own = {"done_at": "transition", **settings}
    adv = advantages(inputs, own, settings["lam_critic"], inputs["rewards"])
    return {"returns": kept(critic_mask(inputs["response_mask"], settings), adv + inputs["old_values"])}


def mean(x, m, settings):
    """How the numbers of tokens become one."""
    mode, x = settings["loss_agg_mode"], kept(m, x)
    rows = m.shape[0] if settings["count_empty_rows"] else m.any(axis=1).sum()
    of_row, n = x.sum(axis=1), m.sum(axis=1)
    number = x.dtype.type
    scale = number(settings["loss_scale_factor"])
    return {
        "token-mean": lambda: of_row.sum() / number(m.sum()),
        "token-sum": lambda: of_row.sum(),
        "seq-mean-token-sum": lambda: of_row.sum() / number(rows),
        "seq-mean-token-mean": lambda: (of_row / np.maximum(n, 1).astype(number)).sum() / number(rows),
        "seq-mean-token-sum-norm": lambda: of_row.sum() / number(rows) / scale,
        "token-sum-norm": lambda: of_row.sum() / scale,
    }[mode]()


def weights(m, settings, number):
    """The gradient of that mean: what each token counts."""
    one = np.ones(m.shape, dtype=number)
    return np.stack([mean(one * (np.arange(m.size).reshape(m.shape) == i), m, settings) for i in range(m.size)]).reshape(
        m.shape
    )


def aggregate(inputs, settings):
    return {"aggregate": mean(inputs["per_token"], inputs["response_mask"], settings)}


def surrogate(inputs, settings):
    """Each token's log ρ, ρ, both surrogates, loss, and whether the dual clip acts."""
    m, number = inputs["response_mask"], inputs["log_probs"].dtype.type
    log_ratio = kept(m, inputs["log_probs"] - inputs["old_log_probs"])
    adv = kept(m, inputs["advantages"])
    clamp = off(settings.get("log_ratio_clamp", "off"))
    with np.errstate(over="ignore"):
        ratio = np.exp(np.clip(log_ratio, -clamp, clamp).astype(number))
    lo, hi = number(1) - number(off(settings["cliprange_low"])), number(1) + number(off(settings["cliprange_high"]))
    plain, clipped = ratio * adv, np.clip(ratio, lo, hi) * adv
    pessimistic = -np.minimum(plain, clipped)
    c = off(settings.get("clip_ratio_c", "off"))
    with np.errstate(invalid="ignore"):
        bound = np.where(adv < 0, -adv * number(c), np.inf)
    return log_ratio, ratio, plain, clipped, np.minimum(pessimistic, bound), bound < pessimistic, (lo, hi), adv


def policy_loss(inputs, settings):
    m = inputs["response_mask"]
    log_ratio, ratio, plain, clipped, loss, dual, (lo, hi), adv = surrogate(inputs, settings)
    loss = loss * kept(m, inputs.get("rollout_is_weights", np.ones_like(loss)))
    beyond = {
        "effective": clipped < plain,
        "sign-blind": (ratio < lo) | (ratio > hi),
        "signed": ((ratio < lo) & (adv < 0)) | ((ratio > hi) & (adv > 0)),
    }[settings["clipfrac"]]
    clamp = off(settings["log_ratio_clamp"]) if settings["ppo_kl_of"] == "clamped" else np.inf
    logged = estimate(-np.clip(log_ratio, -clamp, clamp).astype(loss.dtype), settings["ppo_kl_kind"])
    over_tokens = {**settings, "loss_agg_mode": "token-mean"}
    number = loss.dtype
    return {
        "ratio": ratio,
        "pg_loss": mean(loss, m, settings),
        "pg_clipfrac": mean(beyond.astype(number), m, over_tokens),
        "pg_clipfrac_lower": mean(dual.astype(number), m, over_tokens),
        "ppo_kl": mean(logged, m, over_tokens),
    }


def squared_errors(inputs, settings):
    """V − R, V_clip − R and whether V is outside its range."""
    m = critic_mask(inputs["response_mask"], settings)
    v, v_old, ret = (kept(m, inputs[name]) for name in ("values", "old_values", "returns"))
    eps_v = v.dtype.type(off(settings["cliprange_value"]))
    v_clip = np.clip(v, v_old - eps_v, v_old + eps_v)
    return m, v - ret, v_clip - ret, v_clip != v


def value_loss(inputs, settings):
    m, plain, clipped, _ = squared_errors(inputs, settings)
    form = {"max": np.maximum(plain**2, clipped**2), "clipped-only": clipped**2, "off": plain**2}
    half = plain.dtype.type(0.5 if settings["vf_half"] else 1)
    taken_more = (clipped**2 > plain**2).astype(plain.dtype)
    return {
        "vf_loss": half * mean(form[settings["value_clip_form"]], m, settings),
        "vf_clipfrac": mean(taken_more, m, {**settings, "loss_agg_mode": "token-mean"}),
    }


def kl_loss(inputs, settings):
    m = inputs["response_mask"]
    k1 = kept(m, inputs["log_probs"] - inputs["ref_log_probs"])
    return mean(estimate(k1, settings["kl_loss_kind"].rstrip("+")), m, settings)


def defaults(settings):
    """What a term that stands inside another reads and that one does not state."""
    own = {"clipfrac": "effective", "ppo_kl_kind": "k1", "ppo_kl_of": "raw", "clip_ratio_c": "off", "log_ratio_clamp": "off"}
    return {**own, "entropy_temperature": settings["temperature"], **settings}


def total_loss(inputs, settings):
    s, inputs = defaults(settings), dict(inputs)
    out, parts = {}, {"vf_loss": s["vf_coef"], "entropy_loss": -s["entropy_coef"], "kl_loss": s["kl_loss_coef"]}
    if "logits" in inputs:
        inputs.update(log_prob(inputs, s))
        out["entropy_loss"] = entropy(inputs, s)["entropy_loss"]
    out["pg_loss"] = policy_loss(inputs, s)["pg_loss"]
    if "values" in inputs:
        out["vf_loss"] = value_loss(inputs, s)["vf_loss"]
    if "ref_log_probs" in inputs:
        out["kl_loss"] = kl_loss(inputs, s)
    number = out["pg_loss"].dtype.type
    total = out["pg_loss"]
    for name, coefficient in parts.items():
        if coefficient != 0:
            total = total + number(coefficient) * out[name]
    return {**out, "total_loss": total}


def gradients(inputs, settings):
    s, inputs, m = defaults(settings), dict(inputs), inputs["response_mask"]
    if "logits" in inputs:
        inputs.update(log_prob(inputs, s))
    number = inputs.get("old_log_probs", inputs.get("values")).dtype.type
    of = s.get("grad_of", "total_loss")
    whole = {"pg_loss": 1, "vf_loss": s["vf_coef"], "entropy_loss": -s["entropy_coef"], "kl_loss": s["kl_loss_coef"]}
    c = whole if of == "total_loss" else {name: float(name == of) for name in whole}
    share, out = weights(m, s, number), {}
    if "advantages" in inputs:
        log_ratio, _, plain, clipped, _, dual, _, _ = surrogate(inputs, s)
        flat = (clipped < plain) | dual | (np.abs(log_ratio) > off(s["log_ratio_clamp"]))
        slope = np.where(flat, 0, -plain) * kept(m, inputs.get("rollout_is_weights", np.ones_like(plain)))
        out["grad_log_probs"] = number(c["pg_loss"]) * share * slope
        if c["kl_loss"] != 0:
            k1 = kept(m, inputs["log_probs"] - inputs["ref_log_probs"])
            kind = s["kl_loss_kind"]
            straight = kind == "k2" or kind.endswith("+")
            slope = k1 if straight else {"k1": 1, "abs": np.sign(k1), "k3": 1 - np.exp(-k1)}[kind]
            out["grad_log_probs"] = out["grad_log_probs"] + number(c["kl_loss"]) * share * slope
    if "values" in inputs:
        m_v, plain, clipped, beyond = squared_errors(inputs, s)
        flat = {"max": clipped**2 > plain**2, "clipped-only": beyond, "off": np.zeros_like(beyond)}
        slope = np.where(flat[s["value_clip_form"]], 0, 2 * plain) * number(0.5 if s["vf_half"] else 1)
        out["grad_values"] = number(c["vf_loss"]) * weights(m_v, s, number) * slope
    if "logits" in inputs:
        out["grad_logits"] = logits_grad(inputs, s, out["grad_log_probs"], number(c["entropy_loss"]) * share)
    return out


def logits_grad(inputs, settings, g_logp, g_ent):
    """Through log π and through H; a word of probability 0 has none."""
    m, z = inputs["response_mask"], logits_of(inputs)
    tau, tau_ent = (np.asarray(settings[key], dtype=z.dtype) for key in ("temperature", "entropy_temperature"))
    hit = np.arange(z.shape[-1]) == kept(m, inputs["actions"])[..., None]
    through_logp = g_logp[..., None] * (hit - np.exp(log_softmax(z, tau))) / tau
    logp = log_softmax(z, tau_ent)
    pi = np.exp(logp)
    surprise = np.where(pi > 0, logp, 0)
    ent = -(pi * surprise).sum(axis=-1, keepdims=True)
    through_ent = -g_ent[..., None] * pi * (surprise + ent) / tau_ent
    return kept(m[..., None], through_logp + through_ent)


def step(inputs, settings):
    """Everything, in the order of the step."""
    s, x = settings, dict(inputs)
    out = reward(x, s)
    x["rewards"] = out["token_rewards"]
    out["advantages_raw"] = x["advantages_raw"] = advantages(x, s, s["lam"], x["rewards"])
    white = whiten(x, s)["whitened"] if s["whiten"] == "on" else kept(x["response_mask"], x["advantages_raw"])
    out["whitened"] = x["advantages"] = white
    m_v = critic_mask(x["response_mask"], s)
    out["returns"] = x["returns"] = kept(m_v, advantages(x, s, s["lam_critic"], x["rewards"]) + x["old_values"])
    out.update(log_prob(x, s))
    x["log_probs"] = out["log_probs"]
    for term in (policy_loss, value_loss, entropy, total_loss, gradients):
        out.update(term(x, s))
    return out
