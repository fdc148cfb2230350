"""Trainers of control: Stable-Baselines3 and CleanRL, whose losses stand in a loop; torchrl and rlax, which are functions."""

import runpy
import sys
import types
from unittest import mock

import numpy as np
import torch
from inputs import B, GAMMA, LAM, T_LEN, VOCAB, in_order, last_locals, log_prob, normal

OBSERVED, ACTIONS = 3, 4


class Walk:
    """Environments side by side with random observations, rewards and ends: the least that a trainer asks of one."""

    def __init__(self, count):
        self.count, self.rng = count, np.random.default_rng(7)

    def observation(self):
        return self.rng.standard_normal((self.count, OBSERVED)).astype(np.float32)

    def outcome(self):
        return self.rng.standard_normal(self.count).astype(np.float32), self.rng.random(self.count) < 0.2


def moved(parameters):
    """As if the policy had been trained since the rollout: ratios lie beyond both clips, values too."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(0.4 * torch.randn(parameter.shape, generator=generator))


def by_row(tensors, t_len):
    """One row an environment, from tensors that are flat with the environments side by side."""
    return {name: x.reshape(t_len, B, *x.shape[1:]).transpose(0, 1) for name, x in tensors.items()}


def sb3_buffer():
    """Stable-Baselines3's rollout buffer: GAE and returns where a flag says that a slot begins an episode."""
    from gymnasium import spaces
    from stable_baselines3.common.buffers import RolloutBuffer

    rng = np.random.default_rng(6)
    box = spaces.Box(-1, 1, (1,))
    buffer = RolloutBuffer(T_LEN, box, box, "cpu", gae_lambda=LAM, gamma=GAMMA, n_envs=B)
    buffer.rewards, buffer.values = (rng.standard_normal((T_LEN, B)).astype(np.float32) for _ in range(2))
    buffer.episode_starts = (rng.random((T_LEN, B)) < 0.2).astype(np.float32)
    last_values, dones = rng.standard_normal(B).astype(np.float32), rng.random(B) < 0.5
    buffer.compute_returns_and_advantage(torch.from_numpy(last_values), dones)
    rows = {"rewards": buffer.rewards, "old_values": buffer.values, "dones": buffer.episode_starts,
            "advantages_raw": buffer.advantages, "returns": buffer.returns}
    tensors = {name: torch.from_numpy(x.T.copy()) for name, x in rows.items()}
    ends = dict(last_values=torch.from_numpy(last_values), last_dones=torch.from_numpy(dones))
    return tensors | ends, dict(gamma=GAMMA, lam=LAM, done_at="next-start")


def sb3(clip_range_vf=None):
    """One rollout of Stable-Baselines3 and one call of its `PPO.train` on all of it as one minibatch."""
    from gymnasium import spaces
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import VecEnv

    class Envs(VecEnv, Walk):
        def __init__(self):
            Walk.__init__(self, B)
            box = spaces.Box(-np.inf, np.inf, (OBSERVED,))
            VecEnv.__init__(self, B, box, spaces.Discrete(ACTIONS))

        reset = Walk.observation
        get_attr = env_is_wrapped = lambda self, *_, **__: [None] * B
        close = set_attr = env_method = seed = step_async = lambda self, *_, **__: None

        def step_wait(self):
            rewards, dones = self.outcome()
            return self.observation(), rewards, dones, [{"TimeLimit.truncated": False} for _ in range(B)]

    logits = []

    class Moves(BaseCallback):
        def _on_step(self):
            return True

        def _on_rollout_end(self):
            moved(self.model.policy.parameters())
            observed = torch.from_numpy(self.model.rollout_buffer.observations).reshape(-1, OBSERVED)
            logits.append(self.model.policy.get_distribution(observed).distribution.logits.detach())

    model = PPO("MlpPolicy", Envs(), n_steps=T_LEN, batch_size=B * T_LEN, n_epochs=1, gamma=GAMMA, gae_lambda=LAM,
                clip_range_vf=clip_range_vf, ent_coef=0.01, seed=4, device="cpu", policy_kwargs=dict(net_arch=[8]))
    steps = []
    train, model.train = model.train, lambda: steps.append(last_locals(train))
    collected = []
    collect = model.rollout_buffer.compute_returns_and_advantage

    def compute(last_values, dones):
        buffer = model.rollout_buffer
        collect(last_values, dones)
        rows = {"rewards": buffer.rewards, "old_values": buffer.values, "dones": buffer.episode_starts,
                "advantages_raw": buffer.advantages, "returns": buffer.returns,
                "old_log_probs": buffer.log_probs, "actions": buffer.actions[..., 0].astype(np.int64)}
        rows = {name: torch.from_numpy(x.T.copy()) for name, x in rows.items()}
        collected.append(rows | dict(last_values=last_values.flatten(), last_dones=torch.from_numpy(dones)))

    model.rollout_buffer.compute_returns_and_advantage = compute
    with in_order():
        model.learn(B * T_LEN, callback=Moves())
    # The buffer hands out one environment after the other.
    step = steps[0]
    tokens = {"values": "values", "log_probs": "log_prob", "entropy": "entropy", "whitened": "advantages", "ratio": "ratio"}
    tokens = {name: step[of].reshape(B, T_LEN) for name, of in tokens.items()}
    shown = by_row(dict(logits=logits[0]), T_LEN)
    scalars = dict(pg_loss=step["policy_loss"], vf_loss=step["value_loss"], entropy_loss=-step["entropy_loss"],
                   total_loss=step["loss"], pg_clipfrac=step["clip_fraction"], ppo_kl=step["approx_kl_div"])
    return collected[0] | shown | tokens | scalars, dict(gamma=GAMMA, lam=LAM, entropy_coef=0.01)


def sb3_clipped():
    """The same with its value clip on, whose loss knows the clipped prediction alone."""
    tensors, settings = sb3(clip_range_vf=0.3)
    return tensors, settings | dict(cliprange_value=0.3)


def cleanrl():
    """CleanRL's script itself, run for one rollout of Walk and three epochs over it; its last epoch is dumped.

    It asks for gym as it was in 2021 and for TensorBoard: a module with Walk in it and mocks stand in their place.
    """
    class Envs(Walk):
        def __init__(self, of):
            super().__init__(len(of))
            self.single_observation_space = types.SimpleNamespace(shape=(OBSERVED,))
            self.single_action_space = gym.spaces.Discrete(ACTIONS)

        reset = Walk.observation

        def step(self, _actions):
            rewards, dones = self.outcome()
            return self.observation(), rewards, dones, []

        def close(self):
            pass

    class Discrete:
        def __init__(self, n):
            self.n, self.shape = n, ()

    gym = types.ModuleType("gym")
    gym.spaces, gym.vector = types.SimpleNamespace(Discrete=Discrete), types.SimpleNamespace(SyncVectorEnv=Envs)
    sys.modules["gym"], sys.modules["torch.utils.tensorboard"] = gym, mock.MagicMock()
    import cleanrl.ppo as script

    flags = {"num-envs": B, "num-steps": T_LEN, "total-timesteps": B * T_LEN, "num-minibatches": 1, "update-epochs": 3,
             "gamma": GAMMA, "gae-lambda": LAM, "learning-rate": 0.05, "anneal-lr": False, "cuda": False, "seed": 4}
    argv, sys.argv = sys.argv, ["ppo.py"] + [word for key, x in flags.items() for word in (f"--{key}", str(x))]
    with in_order():
        step = runpy.run_path(script.__file__, run_name="__main__")
    sys.argv = argv
    of = {"rewards": "rewards", "old_values": "values", "dones": "dones", "advantages_raw": "advantages",
          "returns": "returns", "old_log_probs": "logprobs"}
    rows = {name: step[of].T for name, of in of.items()}
    flat = {"values": step["newvalue"], "log_probs": step["newlogprob"], "entropy": step["entropy"],
            "whitened": step["mb_advantages"], "ratio": step["ratio"]}
    ends = dict(last_values=step["next_value"].flatten(), last_dones=step["next_done"])
    scalars = dict(pg_loss=step["pg_loss"], vf_loss=step["v_loss"], entropy_loss=step["entropy_loss"],
                   total_loss=step["loss"], pg_clipfrac=step["clipfracs"][-1], ppo_kl=step["approx_kl"])
    return rows | by_row(flat, T_LEN) | ends | scalars, dict(gamma=GAMMA, lam=LAM)


def torchrl(loss_critic_type="l2"):
    """torchrl's GAE, whose flags stand at the transition, and its clipped loss on modules that hand on what they read."""
    from tensordict import TensorDict
    from tensordict.nn import ProbabilisticTensorDictModule, ProbabilisticTensorDictSequential, TensorDictModule
    from torch import nn
    from torch.distributions import Categorical
    from torchrl.objectives import ClipPPOLoss
    from torchrl.objectives.value.functional import generalized_advantage_estimate

    rng = np.random.default_rng(9)
    rewards, old_values, after = (normal(rng, B, T_LEN) for _ in range(3))
    terminated, truncated = (torch.from_numpy(rng.random((B, T_LEN)) < 0.15) for _ in range(2))
    truncated[:, -1] = True
    truncated &= ~terminated
    # V of the state after a token: that of the next token, but where the episode was cut off.
    after = torch.where(truncated, after, torch.cat([old_values[:, 1:], torch.zeros(B, 1)], 1))
    adv, returns = generalized_advantage_estimate(
        GAMMA, LAM, *(x[..., None] for x in (old_values, after, rewards, terminated | truncated, terminated)))
    logits, actions = normal(rng, B, T_LEN, VOCAB), torch.from_numpy(rng.integers(0, VOCAB, (B, T_LEN)))
    log_probs = log_prob(logits, actions)
    old_log_probs, values = log_probs + normal(rng, B, T_LEN, size=0.6), old_values + normal(rng, B, T_LEN, size=0.8)
    handed_on = TensorDictModule(nn.Identity(), in_keys=["shown"], out_keys=["logits"])
    actor = ProbabilisticTensorDictSequential(handed_on, ProbabilisticTensorDictModule(
        in_keys=["logits"], out_keys=["action"], distribution_class=Categorical, return_log_prob=True))
    critic = TensorDictModule(nn.Identity(), in_keys=["now"], out_keys=["state_value"])
    loss = ClipPPOLoss(actor, critic, loss_critic_type=loss_critic_type, clip_value=0.3, normalize_advantage=True,
                       entropy_coeff=0.01, critic_coeff=1.0, functional=False)
    column = dict(now=values, state_value=old_values, advantage=adv[..., 0], value_target=returns[..., 0])
    batch = TensorDict(
        dict(shown=logits, action=actions, action_log_prob=old_log_probs) | {name: x[..., None] for name, x in column.items()},
        batch_size=[B, T_LEN])
    whitened = loss._standardize_advantage(adv, batch)[..., 0]
    of = loss(batch)
    inputs = dict(rewards=rewards, old_values=old_values, values=values, terminated=terminated, truncated=truncated,
                  bootstrap_values=after, old_log_probs=old_log_probs, logits=logits, actions=actions)
    outputs = dict(
        advantages_raw=adv[..., 0], returns=returns[..., 0], whitened=whitened, log_probs=log_probs,
        pg_loss=of["loss_objective"], vf_loss=of["loss_critic"], entropy_loss=of["entropy"],
        total_loss=of["loss_objective"] + of["loss_critic"] + of["loss_entropy"], pg_clipfrac=of["clip_fraction"],
        ppo_kl=of["kl_approx"], vf_clipfrac=of["value_clip_fraction"],
    )
    return inputs | outputs, dict(gamma=GAMMA, lam=LAM, cliprange_value=0.3)


def torchrl_smooth():
    """The same with its default critic loss, which is no squared error."""
    return torchrl("smooth_l1")


def rlax():
    """rlax: GAE of one row at a time, whose discount is 0 where an episode ends, and the clipped surrogate."""
    import jax
    import rlax as of

    rng = np.random.default_rng(11)
    rewards, old_values, adv = (rng.standard_normal((B, T_LEN)).astype(np.float32) for _ in range(3))
    last_values, terminated = rng.standard_normal(B).astype(np.float32), rng.random((B, T_LEN)) < 0.2
    gae = jax.vmap(of.truncated_generalized_advantage_estimation, in_axes=(0, 0, None, 0))
    discounts = (GAMMA * ~terminated).astype(np.float32)
    raw = gae(rewards, discounts, LAM, np.concatenate([old_values, last_values[:, None]], 1))
    old_log_probs = (-2 + rng.standard_normal((B, T_LEN))).astype(np.float32)
    log_probs = (old_log_probs + 0.6 * rng.standard_normal((B, T_LEN))).astype(np.float32)
    ratio = jax.numpy.exp(log_probs - old_log_probs)
    pg_loss = of.clipped_surrogate_pg_loss(ratio.flatten(), raw.flatten(), 0.2)
    tensors = dict(rewards=rewards, old_values=old_values, last_values=last_values, terminated=terminated,
                   old_log_probs=old_log_probs, log_probs=log_probs, advantages_raw=raw, ratio=ratio, pg_loss=pg_loss)
    tensors = {name: torch.from_numpy(np.array(x)) for name, x in tensors.items()}
    return tensors, dict(gamma=GAMMA, lam=LAM, whiten="off")
