"""plain_ppo with one mistake, which run.py must find: returns are made from whitened advantages."""

import plain_ppo
from plain_ppo import *


def returns(inputs, settings):
    v = inputs["old_values"]
    how = {"variance": "sample", "eps_at": "std", "eps": 1e-8, "shift_mean": True}
    raw = plain_ppo.returns(inputs, settings)["returns"] - v
    return {"returns": plain_ppo.whiten({**inputs, "advantages_raw": raw}, how)["whitened"] + v}
