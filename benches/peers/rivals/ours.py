"""Our side: the example `rival`, a process that reads the same arrays and answers line by line."""

import json
import pathlib
import subprocess

import numpy as np

from .machine import environment_of_ours

SUFFIX = {"float32": "f32", "uint16": "bf16", "uint32": "u32", "bool": "bool"}


def build(pages):
    """Builds the example; its path."""
    command = ["cargo", "build", "--release", "--quiet", "-p", "ppo-benches", "--example", "rival"]
    command += ["--message-format", "json-render-diagnostics"]
    root = pathlib.Path(__file__).parents[3]
    pipes = dict(stdout=subprocess.PIPE, text=True, check=True)
    said = subprocess.run(command, cwd=root, env=environment_of_ours(pages), **pipes).stdout
    messages = [json.loads(line) for line in said.splitlines()]
    return next(x["executable"] for x in messages if x.get("executable") and x["target"]["name"] == "rival")


def write(folder, arrays):
    """The arrays as files, little-endian, row-major."""
    for name, x in arrays.items():
        np.ascontiguousarray(x).tofile(pathlib.Path(folder) / f"{name}.{SUFFIX[x.dtype.name]}")


class Absent(Exception):
    """Ours does not have this."""


class Ours:
    """The child, for one work."""

    def __init__(self, path, folder, work, pages):
        self.folder = pathlib.Path(folder)
        command = [path, folder, work.kind, str(work.rows), str(work.columns)]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.child = subprocess.Popen(command, env=environment_of_ours(pages), **pipes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait()

    def ask(self, *words):
        """One line there, one line back."""
        print(*words, file=self.child.stdin, flush=True)
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"ours ended at `{' '.join(map(str, words))}`")
        answer = json.loads(line)
        if "absent" in answer:
            raise Absent(answer["absent"])
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def answers(self, phase, level, threads):
        """Runs a phase, and reads what it wrote into the folder."""
        found = {}
        for name in self.ask("write", phase, level, threads)["wrote"]:
            stem, suffix = name.removeprefix("out_").rsplit(".", 1)
            x = np.fromfile(self.folder / name, {"f32": np.float32, "bf16": np.uint16}[suffix])
            found[stem] = (x.astype(np.uint32) << 16).view(np.float32) if suffix == "bf16" else x
            (self.folder / name).unlink()
        return found

    def time(self, *words, threads):
        """Nanoseconds of each run of a turn, as the child measured them."""
        answer = self.ask(*words, threads)
        assert answer["threads"] == threads, f"ours ran on {answer['threads']} threads"
        return answer["ns"]
