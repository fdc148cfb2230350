"""Seeded inputs, and what is shared by the scripts that run other trainers."""

import contextlib
import inspect
import sys

import numpy as np
import torch

B, T_LEN, VOCAB = 6, 12, 9
GAMMA, LAM = 0.9, 0.8
LENGTHS = (12, 7, 1, 12, 3, 10)
GAPS = ((0, 3), (0, 4), (3, 0), (3, 8), (5, 2))


def normal(rng, *shape, size=1.0):
    return torch.from_numpy((size * rng.standard_normal(shape)).astype(np.float32))


def rollout(gaps=GAPS):
    """Inputs of a batch: log-probs, values, scores, logits, and a mask with padding and these gaps."""
    rng = np.random.default_rng(5)
    attended = torch.arange(T_LEN)[None] < torch.tensor(LENGTHS)[:, None]
    mask = attended.clone()
    for slot in gaps:
        mask[slot] = False
    logits, actions = normal(rng, B, T_LEN, VOCAB), torch.from_numpy(rng.integers(0, VOCAB, (B, T_LEN)))
    log_probs = log_prob(logits, actions)
    old_values = normal(rng, B, T_LEN)
    return dict(
        response_mask=mask, attention_mask=attended, scores=normal(rng, B), logits=logits, actions=actions,
        old_values=old_values, values=old_values + normal(rng, B, T_LEN, size=0.8),
        old_log_probs=log_probs + normal(rng, B, T_LEN, size=0.6),
        ref_log_probs=log_probs + normal(rng, B, T_LEN, size=0.4),
    )


def log_prob(logits, actions):
    return torch.log_softmax(logits, -1).gather(-1, actions[..., None])[..., 0]


def last_locals(function, *arguments):
    """Calls a function and gives the last value that each of its local variables had, those it deleted too."""
    code, seen = inspect.unwrap(function).__code__, {}

    def on_line(frame, _event, _argument):
        seen.update(frame.f_locals)
        return on_line

    sys.settrace(lambda frame, _event, _argument: on_line if frame.f_code is code else None)
    try:
        function(*arguments)
    finally:
        sys.settrace(None)
    return seen


@contextlib.contextmanager
def in_order():
    """No shuffling of minibatches: numpy's permutations and shuffles leave things in order."""
    permutation, shuffle = np.random.permutation, np.random.shuffle
    np.random.permutation, np.random.shuffle = np.arange, lambda _: None
    try:
        yield
    finally:
        np.random.permutation, np.random.shuffle = permutation, shuffle
