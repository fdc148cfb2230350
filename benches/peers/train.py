"""Hold the loop against a trace of the reference, or let it learn by itself.

    python train.py compare DIR             DIR as the example `trace` wrote it
    python train.py learn DIR --seeds 1 2   for itself; the recipe is the one in DIR
    python train.py table JSON JSON         both sides, as a table
"""

import argparse
import json
import pathlib
import random
import statistics
import sys
import time

import torch
from loop import iteration, sample
from safetensors import safe_open
from task import draw, is_done, score

BOUND = 1e-9  # largest difference, in units of the largest element
ASKED = 1024  # prompts of an evaluation


def settings(path):
    """The recipe in a trace's metadata."""
    with safe_open(path, "pt") as file:
        return {k: float(x) if "." in x or "e" in x else int(x) for k, x in file.metadata().items()}


def tensors(path):
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def under(prefix, named):
    return {name[len(prefix):]: x for name, x in named.items() if name.startswith(prefix)}


def adam(theta, s):
    for x in theta.values():
        x.requires_grad_()
    return torch.optim.Adam(theta.values(), s["lr"], (s["beta1"], s["beta2"]), s["eps_adam"])


def off(got, want):
    """The largest difference in units of the largest element wanted."""
    worst, size = (got - want).abs().max().item(), want.abs().max().item()
    return 0.0 if worst == 0 else worst / size if 0 < size and worst < float("inf") else float("inf")


def compare(folder):
    """Replay the trace from its first weights; losses are compared as columns over all epochs."""
    paths = sorted(pathlib.Path(folder).glob("iteration*.safetensors"))
    if len(paths) < 3:
        sys.exit(f"{folder}: {len(paths)} iterations, at least 3 are wanted")
    s, traces = settings(paths[0]), [tensors(path) for path in paths]
    theta = {name: x.clone() for name, x in under("theta.", traces[0]).items()}
    optimizer, columns, offs = adam(theta, s), {}, {}
    for i, trace in enumerate(traces):
        prompts, actions = trace["prompts"].long(), trace["actions"].long()
        mask = trace["response_mask"] == 1
        offs[f"iteration {i + 1}", "scores", ""] = off(
            torch.where(is_done(actions, mask), score(prompts, actions, mask), 0.0), trace["scores"].flatten())
        for name, want in under("theta.", trace).items():
            offs[f"iteration {i + 1}", "parameters before", name] = off(theta[name].detach(), want)
        for k, (losses, grads) in enumerate(iteration(theta, optimizer, prompts, actions, mask, s)):
            for name, x in losses.items():
                columns.setdefault(name, []).append((x, trace[f"epoch{k}.{name}"].item()))
            for name, want in under(f"epoch{k}.grad.", trace).items():
                offs[f"iteration {i + 1}", f"gradients of epoch {k + 1}", name] = off(grads[name], want)
    for name, pairs in columns.items():
        offs["all epochs", name, ""] = off(*torch.tensor(pairs, dtype=torch.float64).T)
    return report(offs)


def report(offs):
    """A line for each group with its worst tensor; whether all are within the bound."""
    for group in dict.fromkeys(key[:2] for key in offs):
        worst, name = max((x, key[2]) for key, x in offs.items() if key[:2] == group)
        print(f"{group[0]:12} {group[1]:22} {worst:8.1e}  {name}")
    worst = max(offs.values())
    print(f"worst {worst:.1e} of {BOUND:.0e}, {len(offs)} comparisons")
    return worst <= BOUND


def fresh(s):
    """Weights of variance 1/d_in, gains 1, the LM head a tenth of that, the value head 0."""
    d, d_mlp = s["d_model"], s["d_mlp"]

    def weights(d_out, d_in):
        return torch.randn(d_out, d_in) / d_in ** 0.5

    theta = dict(tokens=weights(s["vocab"], d), places=weights(s["prompt_len"] + s["t_len"], d))
    for k in range(s["n_blocks"]):
        block = {name: weights(d, d) for name in ("w_query", "w_key", "w_content", "w_join")}
        block |= dict(gain_attention=torch.ones(1, d), gain_mlp=torch.ones(1, d),
                      w_up=weights(d_mlp, d), w_down=weights(d, d_mlp))
        theta |= {f"block{k}.{name}": x for name, x in block.items()}
    return theta | dict(gain=torch.ones(1, d), w_lm=0.1 * weights(s["vocab"], d), w_v=torch.zeros(1, d))


def evaluate(theta, s):
    """The mean score on unseen prompts, sampled as in training."""
    prompts = draw(ASKED, True, s)
    return score(prompts, *sample(theta, prompts, torch.full((ASKED,), s["t_len"]), s)).mean().item()


def limits(s):
    """t_len, or for a quarter of the rows a shorter limit."""
    short = torch.rand(s["b"]) >= 0.75
    return torch.where(short, torch.randint(1, s["t_len"], (s["b"],)), s["t_len"])


def learn_one(seed, s):
    random.seed(seed)
    torch.manual_seed(seed)
    theta = fresh(s)
    optimizer, scores, seconds, before = adam(theta, s), [], [], evaluate(theta, s)
    for _ in range(s["iterations"]):
        started = time.perf_counter()
        prompts = draw(s["b"], False, s)
        actions, mask = sample(theta, prompts, limits(s), s)
        iteration(theta, optimizer, prompts, actions, mask, s)
        seconds.append(time.perf_counter() - started)
        scores.append(round(score(prompts, actions, mask)[is_done(actions, mask)].mean().item(), 4))
    run = dict(seed=seed, before=before, after=evaluate(theta, s),
               seconds=statistics.median(seconds), scores=scores)
    print("seed {seed}: {before:.4f} -> {after:.4f}, {seconds:.4f} s an iteration".format(**run), file=sys.stderr)
    return run


def learn(folder, seeds):
    s = settings(pathlib.Path(folder) / "iteration001.safetensors")
    runs = ",\n".join(json.dumps(learn_one(seed, s)) for seed in seeds)
    print(f'{{"side": "pytorch", "runs": [\n{runs}\n]}}')


def table(paths):
    """Per seed and side: where the score began and ended, when it passed 0.9, seconds."""
    sides = [json.loads(pathlib.Path(path).read_text()) for path in paths]
    print("| seed | side | before | after | mean of 10 passes 0.9 at | s an iteration |\n|---|---|---|---|---|---|")
    for runs in zip(*(side["runs"] for side in sides)):
        for side, run in zip(sides, runs):
            means = [sum(run["scores"][i - 10:i]) / 10 for i in range(10, len(run["scores"]) + 1)]
            passed = next((10 + i for i, mean in enumerate(means) if mean >= 0.9), "never")
            print(f"| {run['seed']} | {side['side']} | {run['before']:.3f} | {run['after']:.3f} "
                  f"| {passed} | {run['seconds']:.4f} |")


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("compare", "learn", "table"))
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    args = parser.parse_args()
    if args.what == "compare":
        sys.exit(0 if compare(args.paths[0]) else 1)
    elif args.what == "learn":
        learn(args.paths[0], args.seeds)
    else:
        table(args.paths)


if __name__ == "__main__":
    main()
