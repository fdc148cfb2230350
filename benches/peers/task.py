"""The task of the reference: read a prompt backwards, `|cab` to `bac|`.

Tokens are letters 0 ... 7 and the bar, which begins a prompt and ends a
response. Prompts are padded in front with -1.
"""

import random

import torch

LETTERS, SIZES = 8, (2, 3, 4)
BAR = LETTERS


def is_unseen(prompt):
    """One bit of a hash of the tokens (splitmix64): a half is kept from training."""
    x = 0
    for number in (*prompt, 0):
        x = ((x ^ number) + 0x9E3779B97F4A7C15) % 2**64
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        x ^= x >> 31
    return x & 1 == 1


def draw(b, unseen, s):
    """b prompts of the half asked for: the bar, then 2, 3 or 4 letters; of the unseen none twice."""
    rows = []
    while len(rows) < b:
        prompt = [BAR, *random.choices(range(LETTERS), k=random.choice(SIZES))]
        row = [-1] * (s["prompt_len"] - len(prompt)) + prompt
        if is_unseen(prompt) == unseen and not (unseen and row in rows):
            rows.append(row)
    return torch.tensor(rows)


def score(prompts, actions, mask):
    """The share of the wanted tokens, the prompt backwards, that stand in their place."""
    wanted = prompts.flip(1)
    right = (actions[:, :wanted.shape[1]] == wanted) & mask[:, :wanted.shape[1]]
    return right.sum(1) / (wanted >= 0).sum(1).double()


def is_done(actions, mask):
    """Whether a response ended: by the bar, or because it filled every slot."""
    return (mask & (actions == BAR)).any(1) | mask.all(1)
