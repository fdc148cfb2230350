"""What a PyTorch trainer has at hand after one step, for the lines of `ppo dump --python` to write down.

With the argument `wrong`, returns are made from whitened advantages."""

import sys

import torch

torch.manual_seed(7)
B, prompt, L, vocab = 4, 3, 6, 11
gamma, lam = 1.0, 0.95

# A forward over prompt and response, and the slices of it that belong to response tokens.
tokens = torch.randint(vocab, (B, prompt + L))
logits, all_values = torch.randn(B, prompt + L, vocab, requires_grad=True), torch.randn(B, prompt + L, requires_grad=True)
actions = tokens[:, prompt:]
log_probs = logits[:, prompt - 1 : -1].log_softmax(-1).gather(-1, actions[..., None])[..., 0]
values = all_values[:, prompt - 1 : -1]
response_mask = torch.arange(L) < torch.tensor([6, 4, 1, 5])[:, None]
old_log_probs = (log_probs + 0.3 * torch.randn(B, L)).detach()
ref_log_probs = old_log_probs + 0.1 * torch.randn(B, L)
old_values = (values + 0.3 * torch.randn(B, L)).detach()
scores = torch.randn(B)

mask = response_mask.float()
last = response_mask.sum(1) - 1
rewards = torch.zeros(B, L).scatter(1, last[:, None], scores[:, None])
advantages, carry, next_value = torch.zeros(B, L), torch.zeros(B), torch.zeros(B)
for t in reversed(range(L)):
    delta = rewards[:, t] + gamma * next_value - old_values[:, t]
    carry = mask[:, t] * (delta + gamma * lam * carry)
    next_value = mask[:, t] * old_values[:, t]
    advantages[:, t] = carry
valid = advantages[response_mask]
whitened = (advantages - valid.mean()) / (valid.std() + 1e-8)
returns = (whitened if "wrong" in sys.argv else advantages) + old_values

ratio = (log_probs - old_log_probs).exp()
pg_loss = -torch.min(ratio * whitened, ratio.clamp(0.8, 1.2) * whitened)[response_mask].mean()
clipped = old_values + (values - old_values).clamp(-0.2, 0.2)
vf_loss = torch.max((values - returns) ** 2, (clipped - returns) ** 2)[response_mask].mean()
(pg_loss + 0.5 * vf_loss).backward(retain_graph=True)
