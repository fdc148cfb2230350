"""The loop of the reference with PyTorch: model, sampling, one iteration.

The post's listing (Roy, "The Full PPO Training Step") under autograd. theta is
a dict of tensors by the reference's names, s a dict of settings; v is V, ret R,
adv A, ent H, logp log pi. A batch is b prompts, padded in front with -1, and b
responses of t_len slots, those after a response filled with the bar.
"""

import torch
from task import BAR, is_done, score
from torch.nn import functional as F


def norm(gain, u):
    return gain * u / torch.sqrt((u * u).mean(-1, keepdim=True) + 1e-6)


def forward(theta, tokens, s):
    """Logits and V of every position, each from those before it and itself."""
    n, heads = tokens.shape[1], (s["n_heads"], s["d_model"] // s["n_heads"])
    sees = torch.ones(n, n, dtype=torch.bool).tril() & (tokens >= 0)[:, None]
    sees = (sees | torch.eye(n, dtype=torch.bool))[:, None]
    h = theta["tokens"][tokens.clamp(min=0)] + theta["places"][:n]
    for k in range(s["n_blocks"]):
        w = {name.split(".")[1]: x for name, x in theta.items() if name.startswith(f"block{k}.")}
        u = norm(w["gain_attention"], h)
        query, key, content = ((u @ w[name].T).unflatten(-1, heads).transpose(1, 2)
                               for name in ("w_query", "w_key", "w_content"))
        found = F.scaled_dot_product_attention(query, key, content, attn_mask=sees)
        h = h + found.transpose(1, 2).flatten(2) @ w["w_join"].T
        h = h + F.silu(norm(w["gain_mlp"], h) @ w["w_up"].T) @ w["w_down"].T
    h = norm(theta["gain"], h)
    return h @ theta["w_lm"].T, (h @ theta["w_v"].T).squeeze(-1)


@torch.no_grad()
def sample(theta, prompts, limits, s):
    """completions = policy.generate(prompts), until the bar or a row's limit."""
    tokens, live, mask = prompts, torch.ones(len(prompts), dtype=torch.bool), []
    for t in range(s["t_len"]):
        pi = torch.softmax(forward(theta, tokens, s)[0][:, -1] / s["tau"], -1)
        mask.append(live & (t < limits))
        action = torch.where(mask[-1], torch.multinomial(pi, 1).squeeze(1), BAR)
        tokens, live = torch.cat([tokens, action[:, None]], 1), mask[-1] & (action != BAR)
    return tokens[:, prompts.shape[1]:], torch.stack(mask, 1)


def say(theta, prompts, actions, s):
    """log pi, H and V from the positions that produced each token, and V after each."""
    p, (logits, v) = prompts.shape[1], forward(theta, torch.cat([prompts, actions], 1), s)
    all_logp = torch.log_softmax(logits[:, p - 1:-1] / s["tau"], -1)
    logp = all_logp.gather(-1, actions[..., None]).squeeze(-1)
    return logp, -(all_logp.exp() * all_logp).sum(-1), v[:, p - 1:-1], v[:, p:]


def gae(rewards, v_old, v_next, mask, s):
    adv, columns = torch.zeros_like(v_next), []
    for t in reversed(range(mask.shape[1])):
        delta = rewards[:, t] + s["gamma"] * v_next - v_old[:, t]
        adv = torch.where(mask[:, t], delta + s["gamma"] * s["lam"] * adv, adv)
        v_next = torch.where(mask[:, t], v_old[:, t], v_next)
        columns.insert(0, adv)
    return torch.stack(columns, 1)


def iteration(theta, optimizer, prompts, actions, mask, s):
    """One iteration of the listing: losses, gradients before the clip, for each epoch."""
    with torch.no_grad():
        logp_old, _, v_old, v_after = say(theta, prompts, actions, s)
    last, done = mask.sum(1, keepdim=True) - 1, is_done(actions, mask)
    scores = torch.where(done, score(prompts, actions, mask), 0.0)
    rewards = torch.zeros_like(v_old).scatter(1, last, scores[:, None])
    v_end = torch.where(done, 0.0, v_after.gather(1, last).squeeze(1))
    adv = gae(rewards, v_old, v_end, mask, s)
    ret = adv + v_old
    adv = (adv - adv[mask].mean()) / (adv[mask].std() + 1e-8)
    epochs = []
    for _ in range(s["epochs"]):
        logp, ent, v, _ = say(theta, prompts, actions, s)
        ratio = torch.exp(logp - logp_old)
        clipped = ratio.clamp(1 - s["eps"], 1 + s["eps"])
        pg_loss = -torch.min(ratio * adv, clipped * adv)[mask].mean()
        v_clip = torch.clamp(v, v_old - s["eps_v"], v_old + s["eps_v"])
        vf_loss = torch.max((v - ret) ** 2, (v_clip - ret) ** 2)[mask].mean()
        ent = ent[mask].mean()
        total = pg_loss + s["c_v"] * vf_loss - s["c_h"] * ent
        optimizer.zero_grad()
        total.backward()
        grads = {name: x.grad.clone() for name, x in theta.items()}
        grad_norm = torch.nn.utils.clip_grad_norm_(theta.values(), s["max_norm"])
        optimizer.step()
        losses = dict(pg_loss=pg_loss, vf_loss=vf_loss, entropy_loss=ent, total_loss=total,
                      grad_norm=grad_norm)
        epochs.append(({name: x.item() for name, x in losses.items()}, grads))
    return epochs
