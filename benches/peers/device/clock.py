"""Time and memory of a run: of a GPU by events and by torch's allocator, of a CPU by the clock and not at
all.
"""

import time

import torch

# Written over before each run that counts, so that nobody's inputs lie in the cache; larger than any.
FLUSH = 256 << 20
# Cycles that the device waits after that, while the host asks for the first kernels.
AHEAD = 1_000_000


class Clock:
    """Of one device."""

    def __init__(self, device):
        self.cuda = device.type == "cuda"
        self.over = torch.empty(FLUSH, dtype=torch.uint8, device=device) if self.cuda else None

    def run(self, run):
        """Milliseconds of one run, from the first kernel to the last."""
        if not self.cuda:
            started = time.perf_counter_ns()
            run()
            return (time.perf_counter_ns() - started) / 1e6
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.over.zero_()
        torch.cuda._sleep(AHEAD)
        start.record()
        out = run()
        end.record()
        end.synchronize()
        del out
        return start.elapsed_time(end)

    def turn(self, run):
        """Milliseconds of each run that counts: one does not, then three do, or one of what takes long."""
        again = 1 if self.run(run) > 30 else 3
        return [self.run(run) for _ in range(again)]

    def peak(self, run):
        """Bytes that a run holds at its worst beside what was there, outputs among them; None on a CPU."""
        if not self.cuda:
            run()
            return None
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        out = run()
        torch.cuda.synchronize()
        del out
        return torch.cuda.max_memory_allocated() - before
