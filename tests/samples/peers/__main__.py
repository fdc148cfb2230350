"""Dumps of what other trainers' own code computes, for `ppo check`.

Each file holds seeded inputs and the outputs of a library's functions as they are imported, or of one step of its loop,
with the settings that a user of it would choose. Masks have padding and, where the library allows them, gaps.

    python tests/samples/peers FOLDER [PEER...]    # FOLDER takes each library apart from the others: their pins clash
"""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
TORCHRL = ("--no-deps", "torchrl==0.14.1", "tensordict==0.14.3", "pyvers==0.2.3")
# Each file: the function that makes it, and what pip is told to put beside torch for it.
PEERS = {
    "verl": ("language.verl", ()),
    "verl-seq-mean": ("language.verl_seq_mean", ()),
    "verl-0.7": ("language.verl", ("--no-deps", "verl==0.7.1")),
    "openrlhf": ("language.openrlhf", ("--no-deps", "openrlhf==0.11.2")),
    "trl": ("trl_step.trl", ("--no-deps", "trl==1.8.0")),
    "trl-0.11": ("language.trl_classic", ("--no-deps", "trl==0.11.4")),
    "sb3": ("control.sb3", ()),
    "sb3-clipped": ("control.sb3_clipped", ()),
    "sb3-buffer": ("control.sb3_buffer", ()),
    "cleanrl": ("control.cleanrl", ("--no-deps", "--ignore-requires-python", "cleanrl==1.2.0")),
    "torchrl": ("control.torchrl", TORCHRL),
    "torchrl-smooth": ("control.torchrl_smooth", TORCHRL),
    "rlax": ("control.rlax", ("rlax==0.1.9",)),
}


def write(name, tensors, settings):
    import safetensors.torch
    import torch

    tensors = {key: torch.as_tensor(x).detach().contiguous() for key, x in tensors.items()}
    tensors = {key: x.float() if x.dtype == torch.float64 else x for key, x in tensors.items()}
    metadata = {key: str(x) for key, x in settings.items()}
    safetensors.torch.save_file(tensors, HERE / f"{name}.safetensors", metadata)


def installed(folder, packages):
    """The folder of these packages, which pip fills where it is not there."""
    if not packages:
        return ""
    target = pathlib.Path(folder).absolute() / "+".join(word for word in packages if not word.startswith("-"))
    if not target.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target]
        subprocess.run([*pip, *packages], check=True)
    return str(target)


def main(folder, *names):
    for name in names or PEERS:  # each in a process of its own: the stubs of one are not for the others
        paths = [installed(folder, PEERS[name][1]), os.environ.get("PYTHONPATH", "")]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)), PEER=name)
        subprocess.run([sys.executable, HERE], check=True, env=environment)


if __name__ == "__main__":
    peer = os.environ.get("PEER")
    if peer:
        module, function = PEERS[peer][0].split(".")
        write(peer, *getattr(__import__(module), function)())
    else:
        main(*sys.argv[1:])
