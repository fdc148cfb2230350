"""torch.compile, with the C++ that came of it kept, so that its threads and vectors can be looked at."""

import re

import torch
from torch._inductor import config
from torch._inductor.cpu_vec_isa import pick_vec_isa
from torch._inductor.utils import run_and_get_code


def hold(threads, simdlen):
    """Threads and vector length of all that is compiled from here on; nothing comes from the disk cache,
    whose key has no thread count."""
    config.force_disable_caches = True
    config.cpp.threads = threads
    config.cpp.simdlen = simdlen
    if simdlen:
        assert pick_vec_isa().bit_width() == simdlen, f"Inductor took {pick_vec_isa()}"


def vectors():
    """The instruction set that Inductor compiles for."""
    return str(pick_vec_isa())


def compile_for(function):
    """`function` compiled for the shapes that it is first called with."""
    return torch.compile(function, dynamic=False)


def code_of(run):
    """Runs once, which compiles; the C++ of every kernel."""
    return "\n".join(run_and_get_code(run)[1])


def threads_in(code):
    """The thread counts that the code asks for; none where a kernel is too small to be worth one."""
    return sorted({int(n) for n in re.findall(r"num_threads\((\d+)\)", code)})
