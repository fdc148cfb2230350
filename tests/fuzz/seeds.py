#!/usr/bin/env python3
"""The first inputs of the fuzz targets: small dumps with every tensor, whose outputs are those of `ppo step`.

    tests/fuzz/seeds.py target/release/ppo        # needs Python alone
"""

import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

CORPUS = pathlib.Path(__file__).parent / "corpus"
B, T_LEN, VOCAB = 2, 3, 2
SETTINGS = dict(gamma="0.9", lam="0.8", kl_coef="0.1", clip_ratio_c="1.5", entropy_temperature="0.7")
PACK = {"F64": "<d", "F32": "<f", "I32": "<i", "U8": "<B"}


def element(dtype, x):
    # The upper half of an f32 is a bf16.
    return struct.pack("<f", x)[2:] if dtype == "BF16" else struct.pack(PACK[dtype], x)


def dump(tensors, metadata):
    """A safetensors file of name: (dtype, shape, numbers)."""
    head, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, (dtype, shape, numbers) in tensors.items():
        start = len(data)
        data += b"".join(element(dtype, x) for x in numbers)
        head[name] = dict(dtype=dtype, shape=shape, data_offsets=[start, len(data)])
    text = json.dumps(head, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def rollout(dtype):
    """Every input, with a gap, padding, a row that was cut off and one that ends inside."""
    rng = random.Random(3)

    def numbers(*shape, size=1.0, at=0.0):
        count = 1
        for axis in shape:
            count *= axis
        return dtype, list(shape), [at + size * rng.gauss(0, 1) for _ in range(count)]

    def flags(*x):
        return "U8", [B, T_LEN] if len(x) > B else [B], list(x)

    return dict(
        response_mask=flags(1, 0, 1, 1, 1, 0), attention_mask=flags(1, 1, 1, 1, 1, 0), scores=numbers(B),
        old_values=numbers(B, T_LEN), values=numbers(B, T_LEN),
        old_log_probs=numbers(B, T_LEN, size=0.5, at=-0.7), ref_log_probs=numbers(B, T_LEN, size=0.5, at=-0.7),
        logits=numbers(B, T_LEN, VOCAB), actions=("I32", [B, T_LEN], [1, 0, 0, 1, 0, 1]),
        truncated=flags(1, 0), last_values=numbers(B), terminated=flags(0, 0, 0, 1, 0, 0),
        rollout_is_weights=numbers(B, T_LEN, size=0.1, at=1.0),
    )


def outputs(ppo, bytes_of_inputs, dtype):
    """What `ppo step` makes of it, in another dtype."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = pathlib.Path(folder) / "dump", pathlib.Path(folder) / "out"
        path.write_bytes(bytes_of_inputs)
        subprocess.run([ppo, "step", path, "--out", out], check=True, stdout=subprocess.DEVNULL)
        whole = out.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    head, data = json.loads(whole[8:8 + length]), whole[8 + length:]
    head.pop("__metadata__", None)
    head.pop("response_mask")
    for name, about in head.items():
        start, end = about["data_offsets"]
        yield name, (dtype, about["shape"], [x for x, in struct.iter_unpack("<d", data[start:end])])


def main(ppo):
    (CORPUS / "made").mkdir(parents=True, exist_ok=True)
    for seed in range(6):
        (CORPUS / "made" / f"random-{seed}").write_bytes(random.Random(seed).randbytes(200 * seed + 100))
    for dtype in ("F64", "F32", "BF16"):
        inputs = rollout(dtype)
        whole = dict(inputs, **dict(outputs(ppo, dump(inputs, SETTINGS), dtype)))
        wrong = dict(whole, returns=(dtype, [B, T_LEN], [0.5] * B * T_LEN))
        for target in ("read", "check", "out"):
            folder = CORPUS / target
            folder.mkdir(parents=True, exist_ok=True)
            flags = b"gap=decay\nscore-at=first-pad\n\n" if target == "read" else b"dialect=openrlhf\n\n"
            (folder / f"whole-{dtype.lower()}").write_bytes(b"\n\n" + dump(whole, SETTINGS))
            (folder / f"stated-{dtype.lower()}").write_bytes(flags + dump(inputs if target == "out" else whole, {}))
            if target == "check":
                (folder / f"wrong-{dtype.lower()}").write_bytes(b"\n\n" + dump(wrong, {}))


if __name__ == "__main__":
    main(sys.argv[1])
