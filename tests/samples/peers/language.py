"""Trainers of language models whose arithmetic stands in functions: verl, OpenRLHF, TRL 0.11."""

import pathlib
import sys
import types
from unittest import mock

import torch
from inputs import B, GAMMA, LAM, T_LEN, log_prob, rollout


def placed(inputs):
    """The score of each row at its last attended token, where that is in the mask: as verl's reward managers do."""
    rewards = torch.zeros(B, T_LEN)
    rewards[torch.arange(B), inputs["attention_mask"].sum(1) - 1] = inputs["scores"]
    return rewards


def verl(loss_agg_mode="token-mean", kl_estimator="kl", **loss_scale):
    """verl, its core algorithms: KL in the reward, GAE, whitening, both losses, entropy."""
    from verl.trainer.ppo import core_algos
    from verl.utils.torch_functional import entropy_from_logits, logprobs_from_logits
    from verl.workers.config import ActorConfig

    inputs, beta = rollout(), 0.001
    mask = inputs["response_mask"].float()
    kl = core_algos.kl_penalty(inputs["old_log_probs"], inputs["ref_log_probs"], kl_estimator) * mask
    rewards = placed(inputs) - beta * kl
    whitened, returns = core_algos.compute_gae_advantage_return(rewards, inputs["old_values"], mask, GAMMA, LAM)
    log_probs = logprobs_from_logits(inputs["logits"].clone(), inputs["actions"])
    actor = ActorConfig(strategy="fsdp", rollout_n=1, ppo_micro_batch_size_per_gpu=1)
    actor.global_batch_info.update(loss_scale)
    pg_loss, logged = core_algos.compute_policy_loss_vanilla(
        inputs["old_log_probs"], log_probs, whitened, mask, loss_agg_mode, actor)
    vf_loss, vf_clipfrac = core_algos.compute_value_loss(
        inputs["values"], returns, inputs["old_values"], mask, cliprange_value=0.5, loss_agg_mode=loss_agg_mode,
        **loss_scale)
    entropy = entropy_from_logits(inputs["logits"])
    outputs = dict(
        kl=kl, token_rewards=rewards, whitened=whitened, returns=returns, log_probs=log_probs, entropy=entropy,
        pg_loss=pg_loss, vf_loss=vf_loss, vf_clipfrac=vf_clipfrac,
        entropy_loss=core_algos.agg_loss(entropy, mask, loss_agg_mode, **loss_scale),
        pg_clipfrac=logged["actor/pg_clipfrac"], pg_clipfrac_lower=logged["actor/pg_clipfrac_lower"],
        ppo_kl=logged["actor/ppo_kl"],
    )
    return inputs | outputs, dict(gamma=GAMMA, lam=LAM, kl_coef=beta)


def verl_seq_mean():
    """verl again, with another aggregation and the k3 estimator, whose clamps it always has."""
    return verl("seq-mean-token-mean", "low_var_kl")


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

    inputs, beta = rollout(), 0.01
    mask = inputs["response_mask"].float()
    kl = compute_approx_kl(inputs["old_log_probs"], inputs["ref_log_probs"], kl_estimator="k1") * mask
    rewards = compute_reward(inputs["scores"], beta, kl, action_mask=mask, reward_clip_range=(-10, 10))
    adv, returns = RemoteExperienceMaker.get_advantages_and_returns(
        None, inputs["old_values"], rewards, mask, GAMMA, LAM)
    log_probs = log_prob(inputs["logits"], inputs["actions"])
    pg_loss, clipped, ppo_kl, *_ = PolicyLoss()(log_probs, inputs["old_log_probs"], adv, mask)
    vf_loss = ValueLoss(0.5)(inputs["values"], inputs["old_values"], returns, mask)
    outputs = dict(kl=kl, token_rewards=rewards, advantages_raw=adv, returns=returns, log_probs=log_probs,
                   pg_loss=pg_loss, pg_clipfrac=clipped, ppo_kl=ppo_kl, vf_loss=vf_loss)
    return inputs | outputs, dict(gamma=GAMMA, lam=LAM, kl_coef=beta, whiten="off")


def trl_classic():
    """TRL before 0.12: three methods of its trainer, on an object that has their settings alone."""
    sys.modules["tyro"] = mock.MagicMock()  # reads command lines
    from trl.trainer.ppo_trainer import PPOTrainer

    config = types.SimpleNamespace(kl_penalty="kl", whiten_rewards=False, gamma=GAMMA, lam=LAM, cliprange=0.2,
                                   cliprange_value=0.2, vf_coef=0.1, ratio_threshold=10.0)
    trainer = types.SimpleNamespace(config=config, kl_ctl=types.SimpleNamespace(value=0.2))
    trainer._kl_penalty = types.MethodType(PPOTrainer._kl_penalty, trainer)
    inputs = rollout()
    mask = inputs["response_mask"].float()
    rewards, _, kl = PPOTrainer.compute_rewards(
        trainer, inputs["scores"], inputs["old_log_probs"], inputs["ref_log_probs"], inputs["response_mask"].long())
    old_values, whitened, returns = PPOTrainer.compute_advantages(trainer, inputs["old_values"], rewards, mask)
    log_probs = log_prob(inputs["logits"], inputs["actions"])
    pg_loss, weighted, stats = PPOTrainer.loss(
        trainer, inputs["old_log_probs"], old_values, inputs["logits"], inputs["values"], log_probs, mask, whitened,
        returns)
    outputs = dict(
        kl=kl, token_rewards=rewards, whitened=whitened, returns=returns, log_probs=log_probs,
        ratio=stats["policy/ratio"], pg_loss=pg_loss, vf_loss=stats["loss/value"], total_loss=pg_loss + weighted,
        entropy_loss=stats["policy/entropy"], pg_clipfrac=stats["policy/clipfrac"],
        vf_clipfrac=stats["val/clipfrac"], ppo_kl=stats["policy/approxkl"],
    )
    return inputs | outputs, dict(gamma=GAMMA, lam=LAM)
