"""plain_ppo with one mistake, which run.py must find: returns are made from whitened advantages."""

from plain_ppo import *  # every term; the one below stands in for its own
import plain_ppo


def returns(inputs, settings):
    raw = plain_ppo.returns(inputs, settings).get("advantages_raw", inputs.get("advantages_raw"))
    how = {"variance": "sample", "eps_at": "std", "eps": 1e-8, "shift_mean": True}
    white = plain_ppo.whiten({**inputs, "advantages_raw": raw}, how)["whitened"]
    return {"advantages_raw": raw, "returns": white + inputs["old_values"]}
