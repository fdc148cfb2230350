"""The conditions of a run: what has to be in the environment before Python starts, and what is recorded."""

import ctypes.util
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys

KEEP_PAGES = "dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0"

# numba by a CPU that has no more, numpy by what it must not use.
HOLD_TO_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}


def environment(level, threads):
    """What the libraries read once, when they load."""
    jemalloc = ctypes.util.find_library("jemalloc")
    if not jemalloc:
        sys.exit("jemalloc is not there; under glibc's malloc torch would mostly take page faults")
    wanted = {
        "LD_PRELOAD": jemalloc,
        "MALLOC_CONF": KEEP_PAGES,
        "OMP_NUM_THREADS": str(threads),
        "NUMBA_NUM_THREADS": str(threads),
        # numba's OpenMP layer would set torch's threads.
        "NUMBA_THREADING_LAYER": "workqueue",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
    return wanted | (HOLD_TO_AVX2 if level == "avx2" else {})


def start_over(level, threads):
    """Starts this command once more where the environment is another."""
    wanted = environment(level, threads)
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | wanted)


def plain_environment():
    """For our own side: without what the rivals get."""
    rivals = environment("avx2", 1)
    return {name: value for name, value in os.environ.items() if name not in rivals}


def verify(level, threads):
    """That the conditions are really there; what is recorded of them."""
    import numba
    import torch

    maps = pathlib.Path("/proc/self/maps").read_text()
    assert "jemalloc" in maps, "jemalloc is not loaded"
    torch.set_num_threads(threads)
    aten = torch.backends.cpu.get_cpu_capability()
    assert level != "avx2" or aten == "AVX2", f"torch runs at {aten}"
    assert numba.get_num_threads() == threads
    return {"torch": aten, "jemalloc": os.environ["MALLOC_CONF"]}


def threads_now():
    """Threads of torch and of numba, at this moment."""
    import numba
    import torch

    return {torch.get_num_threads(), numba.get_num_threads()}


def first(path, key):
    """The value of the first line that begins with `key`."""
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "unknown"


def said(*command):
    """The output of a command."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def describe():
    """The machine, without its name."""
    cache = pathlib.Path("/sys/devices/system/cpu/cpu0/cache/index3/size")
    pages = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "cpu": first("/proc/cpuinfo", "model name") if platform.machine() == "x86_64" else platform.machine(),
        "cores": os.cpu_count(),
        "l3": cache.read_text().strip() if cache.exists() else "unknown",
        "huge pages": pages.read_text().split("[")[-1].split("]")[0] if pages.exists() else "unknown",
        "load before": round(os.getloadavg()[0], 2),
    }


def versions():
    """Of everything that is timed."""
    packages = ("torch", "numba", "numpy", "verl", "trl", "transformers")
    all_of = {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}
    return all_of | {"rustc": said("rustc", "--version"), "commit": said("git", "rev-parse", "--short", "HEAD")}
