"""Dumps of what other trainers' own functions compute, for `ppo check`.

Each file holds seeded inputs and the outputs of a library's functions as they
are imported, with the settings that a user of it would choose. Masks have
padding and, where the library allows them, gaps.
"""

import pathlib
import subprocess
import sys
import types
from unittest import mock

import numpy as np
import safetensors.torch
import torch

OUT = pathlib.Path(__file__).parent / "peers"
B, T_LEN, VOCAB = 6, 12, 9
LENGTHS = (12, 7, 1, 12, 3, 10)
GAPS = ((0, 3), (0, 4), (3, 0), (3, 8), (5, 2))


def rollout():
    """Inputs of a batch: log-probs, values, scores, logits, and a mask with gaps."""
    rng = np.random.default_rng(5)

    def normal(*shape, size=1.0):
        return torch.from_numpy((size * rng.standard_normal(shape)).astype(np.float32))

    attended = torch.arange(T_LEN)[None] < torch.tensor(LENGTHS)[:, None]
    mask = attended.clone()
    for slot in GAPS:
        mask[slot] = False
    logits, actions = normal(B, T_LEN, VOCAB), torch.from_numpy(rng.integers(0, VOCAB, (B, T_LEN)))
    log_probs = torch.log_softmax(logits, -1).gather(-1, actions[..., None])[..., 0]
    old_values = normal(B, T_LEN)
    return dict(
        response_mask=mask, attention_mask=attended, scores=normal(B), logits=logits, actions=actions,
        old_values=old_values, values=old_values + normal(B, T_LEN, size=0.8),
        old_log_probs=log_probs + normal(B, T_LEN, size=0.6),
        ref_log_probs=log_probs + normal(B, T_LEN, size=0.4),
    )


def placed(inputs):
    """The score of each row at its last attended token, where that is in the mask: as verl's reward managers do."""
    rewards = torch.zeros(B, T_LEN)
    rewards[torch.arange(B), inputs["attention_mask"].sum(1) - 1] = inputs["scores"]
    return rewards


def verl():
    """verl, its core algorithms: KL in the reward, GAE, whitening, both losses, entropy."""
    from verl.trainer.ppo import core_algos
    from verl.utils.torch_functional import entropy_from_logits, logprobs_from_logits
    from verl.workers.config import ActorConfig

    inputs, beta, gamma, lam = rollout(), 0.001, 0.9, 0.8
    mask = inputs["response_mask"].float()
    kl = core_algos.kl_penalty(inputs["old_log_probs"], inputs["ref_log_probs"], "kl") * mask
    rewards = placed(inputs) - beta * kl
    whitened, returns = core_algos.compute_gae_advantage_return(
        rewards, inputs["old_values"], mask, gamma, lam)
    log_probs = logprobs_from_logits(inputs["logits"].clone(), inputs["actions"])
    actor = ActorConfig(strategy="fsdp", rollout_n=1, ppo_micro_batch_size_per_gpu=1)
    pg_loss, logged = core_algos.compute_policy_loss_vanilla(
        inputs["old_log_probs"], log_probs, whitened, mask, "token-mean", actor)
    vf_loss, vf_clipfrac = core_algos.compute_value_loss(
        inputs["values"], returns, inputs["old_values"], mask, cliprange_value=0.5)
    entropy = entropy_from_logits(inputs["logits"])
    outputs = dict(
        kl=kl, token_rewards=rewards, whitened=whitened, returns=returns, log_probs=log_probs, entropy=entropy,
        pg_loss=pg_loss, vf_loss=vf_loss, vf_clipfrac=vf_clipfrac,
        entropy_loss=core_algos.agg_loss(entropy, mask, "token-mean"),
        pg_clipfrac=logged["actor/pg_clipfrac"], pg_clipfrac_lower=logged["actor/pg_clipfrac_lower"],
        ppo_kl=logged["actor/ppo_kl"],
    )
    return inputs | outputs, dict(gamma=gamma, lam=lam, kl_coef=beta)


def openrlhf():
    """OpenRLHF's KL, reward, GAE and both losses. Its whitening stands inside a loop and is left out."""
    places = (pathlib.Path(path) / "openrlhf" for path in sys.path)
    where = next(place for place in places if (place / "models").is_dir())
    # Their packages import Ray, DeepSpeed and Transformers when they are opened, which no function here needs:
    # empty packages and mocks stand in their place.
    for name in ("deepspeed", "ray", "openrlhf.trainer.ray.launcher", "openrlhf.utils.logging_utils",
                 "openrlhf.utils.seqlen_balancing", "openrlhf.trainer.ppo_utils.experience",
                 "openrlhf.trainer.ppo_utils.length_penalty"):
        sys.modules[name] = mock.MagicMock()
    sys.modules["ray"].remote = lambda of=None, **_: of if of else lambda of: of
    for name in ("", ".models", ".trainer", ".trainer.ray", ".trainer.ppo_utils", ".utils"):
        package = types.ModuleType("openrlhf" + name)
        package.__path__ = [str(where / name.replace(".", "/").lstrip("/"))]
        sys.modules["openrlhf" + name] = package
    from openrlhf.models.loss import PolicyLoss, ValueLoss
    from openrlhf.models.utils import compute_approx_kl, compute_reward
    from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker

    inputs, beta, gamma, lam = rollout(), 0.01, 0.9, 0.8
    mask = inputs["response_mask"].float()
    kl = compute_approx_kl(inputs["old_log_probs"], inputs["ref_log_probs"], kl_estimator="k1") * mask
    rewards = compute_reward(inputs["scores"], beta, kl, action_mask=mask, reward_clip_range=(-10, 10))
    adv, returns = RemoteExperienceMaker.get_advantages_and_returns(
        None, inputs["old_values"], rewards, mask, gamma, lam)
    log_probs = torch.log_softmax(inputs["logits"], -1).gather(-1, inputs["actions"][..., None])[..., 0]
    pg_loss, clipped, ppo_kl, *_ = PolicyLoss()(log_probs, inputs["old_log_probs"], adv, mask)
    vf_loss = ValueLoss(0.5)(inputs["values"], inputs["old_values"], returns, mask)
    outputs = dict(kl=kl, token_rewards=rewards, advantages_raw=adv, returns=returns, log_probs=log_probs,
                   pg_loss=pg_loss, pg_clipfrac=clipped, ppo_kl=ppo_kl, vf_loss=vf_loss)
    return inputs | outputs, dict(gamma=gamma, lam=lam, kl_coef=beta, whiten="off")


def sb3():
    """Stable-Baselines3's rollout buffer: GAE and returns where a flag says that a slot begins an episode."""
    from gymnasium import spaces
    from stable_baselines3.common.buffers import RolloutBuffer

    rng, gamma, lam = np.random.default_rng(6), 0.9, 0.8
    box = spaces.Box(-1, 1, (1,))
    buffer = RolloutBuffer(T_LEN, box, box, "cpu", gae_lambda=lam, gamma=gamma, n_envs=B)
    buffer.rewards, buffer.values = (rng.standard_normal((T_LEN, B)).astype(np.float32) for _ in range(2))
    buffer.episode_starts = (rng.random((T_LEN, B)) < 0.2).astype(np.float32)
    last_values, dones = rng.standard_normal(B).astype(np.float32), rng.random(B) < 0.5
    buffer.compute_returns_and_advantage(torch.from_numpy(last_values), dones)
    by_row = {"rewards": buffer.rewards, "old_values": buffer.values, "dones": buffer.episode_starts,
              "advantages_raw": buffer.advantages, "returns": buffer.returns}
    tensors = {name: torch.from_numpy(x.T.copy()) for name, x in by_row.items()}
    ends = dict(last_values=torch.from_numpy(last_values), last_dones=torch.from_numpy(dones))
    return tensors | ends, dict(gamma=gamma, lam=lam, done_at="next-start")


def write(name, tensors, settings):
    tensors = {key: torch.as_tensor(x).detach().contiguous() for key, x in tensors.items()}
    tensors = {key: x.float() if x.dtype == torch.float64 else x for key, x in tensors.items()}
    metadata = {key: str(x) for key, x in settings.items()}
    safetensors.torch.save_file(tensors, OUT / f"{name}.safetensors", metadata)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    peers = {peer.__name__: peer for peer in (verl, openrlhf, sb3)}
    for name in sys.argv[1:]:
        write(name, *peers[name]())
    if not sys.argv[1:]:  # each in a process of its own: the stubs of one are not for the others
        for name in peers:
            subprocess.run([sys.executable, __file__, name], check=True)
