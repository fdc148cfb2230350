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


# Huge pages for every large array, or for none: numpy asks the kernel for them by itself, and then
# only the rivals' inputs would have them.
PAGES = {
    "huge": {"MALLOC_CONF": KEEP_PAGES + ",thp:always", "NUMPY_MADVISE_HUGEPAGE": "1"},
    "small": {"MALLOC_CONF": KEEP_PAGES, "NUMPY_MADVISE_HUGEPAGE": "0"},
}


def environment(args):
    """What the libraries read once, when they load."""
    jemalloc = ctypes.util.find_library("jemalloc")
    if not jemalloc:
        sys.exit("jemalloc is not there; under glibc's malloc torch would mostly take page faults")
    wanted = {
        "LD_PRELOAD": jemalloc,
        "OMP_NUM_THREADS": str(args.threads),
        "NUMBA_NUM_THREADS": str(args.threads),
        # numba's OpenMP layer would set torch's threads.
        "NUMBA_THREADING_LAYER": "workqueue",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
    return wanted | PAGES[args.pages] | (HOLD_TO_AVX2 if args.level == "avx2" else {})


def start_over(args):
    """Starts this command once more where the environment is another."""
    wanted = environment(args)
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | wanted)


def environment_of_ours(pages):
    """Without what the rivals get, but for the pages: glibc's malloc asks for huge ones where told to."""
    plain = {name: x for name, x in os.environ.items() if name not in ("LD_PRELOAD", "MALLOC_CONF")}
    return plain | {"GLIBC_TUNABLES": f"glibc.malloc.hugetlb={int(pages == 'huge')}"}


def verify(args):
    """That the conditions are really there; what is recorded of them."""
    import numba
    import torch

    maps = pathlib.Path("/proc/self/maps").read_text()
    assert "jemalloc" in maps, "jemalloc is not loaded"
    torch.set_num_threads(args.threads)
    aten = torch.backends.cpu.get_cpu_capability()
    assert args.level != "avx2" or aten == "AVX2", f"torch runs at {aten}"
    assert numba.get_num_threads() == args.threads
    waits = os.environ.get("OMP_WAIT_POLICY", "as libgomp does unasked")
    pages = f"{args.pages} on both sides"
    jemalloc = os.environ["MALLOC_CONF"]
    return {"torch runs at": aten, "jemalloc": jemalloc, "pages": pages, "OpenMP waits": waits}


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


def cpu():
    """What the processor calls itself, and which of those that do it is."""
    name, family, model = (first("/proc/cpuinfo", key) for key in ("model name", "cpu family", "model\t"))
    return f"{name}, family {family}, model {model}"


def describe():
    """The machine, without its name."""
    cache = pathlib.Path("/sys/devices/system/cpu/cpu0/cache/index3/size")
    pages = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "cpu": cpu() if platform.machine() == "x86_64" else platform.machine(),
        "cores": os.cpu_count(),
        "l3": cache.read_text().strip() if cache.exists() else "unknown",
        "kernel's huge pages": pages.read_text().split("[")[-1].split("]")[0]
        if pages.exists()
        else "unknown",
        "load before": round(os.getloadavg()[0], 2),
    }


def versions():
    """Of everything that is timed."""
    packages = ("torch", "numba", "numpy", "verl", "trl", "transformers")
    found = {"python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in packages}
    return found | {
        "rustc": said("rustc", "--version"),
        "commit": said("git", "rev-parse", "--short", "HEAD"),
    }
