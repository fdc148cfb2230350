"""Our side: the example `tensors`, a library that takes tensors by their addresses, on torch's stream."""

import ctypes
import json
import pathlib
import subprocess

import torch


def build(features):
    """Builds the library; its path."""
    command = ["cargo", "build", "--release", "--quiet", "-p", "ppo-benches", "--features", features]
    command += ["--example", "tensors", "--message-format", "json-render-diagnostics"]
    root = pathlib.Path(__file__).parents[3]
    said = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout
    files = [name for line in said.splitlines() for name in json.loads(line).get("filenames", ())]
    return next(name for name in files if pathlib.Path(name).name == "libtensors.so")


class Ours:
    """The library, on one device."""

    def __init__(self, path, device):
        self.device, self.to = device, ctypes.CDLL(str(path))
        word, size, place = ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p
        self.to.ppo_open.argtypes, self.to.ppo_open.restype = (word, word, size, size, place, place), place
        self.to.ppo_scratch.argtypes, self.to.ppo_scratch.restype = (place,), size
        self.to.ppo_run.argtypes = (place, place)
        self.to.ppo_close.argtypes, self.to.ppo_close.restype = (place,), None
        self.to.ppo_said.restype = word

    def said(self):
        return RuntimeError(f"ours: {self.to.ppo_said().decode()}")

    def kind(self, kind, rows, columns, mask=None):
        """A work's kernels; the mask is copied once, as a batch's is."""
        return Kind(self, kind, rows, columns, mask)

    def empty(self, *size, dtype=torch.float32):
        return torch.empty(size, dtype=dtype, device=self.device)


class Kind:
    """A kind of work of one size."""

    def __init__(self, ours, kind, rows, columns, mask):
        self.ours, cuda = ours, ours.device.type == "cuda"
        stream = torch.cuda.current_stream().cuda_stream if cuda else None
        on = b"cuda" if cuda else b"cuda-emulation"
        valid = None if mask is None else mask.cpu().contiguous()
        at = None if valid is None else valid.data_ptr()
        self.made = ours.to.ppo_open(on, kind.encode(), rows, columns, at, stream)
        if not self.made:
            raise ours.said()
        self.scratch = ours.to.ppo_scratch(self.made)

    def __call__(self, *tensors):
        """Asks for it, of contiguous tensors in the order that the library wants."""
        places = (ctypes.c_uint64 * len(tensors))(*(x.data_ptr() for x in tensors))
        if self.ours.to.ppo_run(self.made, places):
            raise self.ours.said()

    def __del__(self):
        if self.made:
            self.ours.to.ppo_close(self.made)
