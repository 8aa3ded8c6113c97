"""What a card can do, measured: its float32 rate and the bandwidth of its memory; and the limits
that follow from them.

Nothing of the card is set. Kernels of ours measure the rate; where they run in numba's simulator (a
rehearsal), the numbers mean nothing."""

import shutil
import subprocess
import time
from typing import Any, NamedTuple

import numpy as np
from contenders import BATCH, DEPTH, INPUTS

CHAINS, STEPS = 16, 16
"""Independent sums of a thread, and how often the loop's body adds to each."""

THREADS, BLOCKS = 256, 8
"""Of a block; blocks for each multiprocessor: as many threads as one can hold."""


class Work(NamedTuple):
    """out (threads of the launch,) float32"""

    out: Any


def multiply_add_kernel():
    """The kernel (work, rounds, factor): each thread does rounds · CHAINS · STEPS multiply-adds in
    float32.

    ``factor`` is float32 and comes from the host, so that the compiler cannot know the result.
    """
    from fracsim.kernels.cuda.target import cuda, kernel

    @kernel
    def multiply_add(work, rounds, factor):
        sums = cuda.local.array(16, work.out.dtype)  # CHAINS
        start = factor
        for u in range(16):
            sums[u] = start
            start += factor
        for _ in range(rounds):
            for _ in range(16):  # STEPS
                for u in range(16):
                    sums[u] = cuda.fma(sums[u], factor, factor)
        total = sums[0]
        for u in range(1, 16):
            total += sums[u]
        work.out[cuda.grid(1)] = total

    return multiply_add


def float_rate(rehearsal=False, repeats=5):
    """float32 operations per second, a multiply-add counted as two; the best of the repeats."""
    from fracsim.kernels.cuda import target

    kernel, stream = multiply_add_kernel(), target.new_stream()
    blocks, threads = (1, 32) if rehearsal else (BLOCKS * target.multiprocessors(), THREADS)
    work = Work(target.new_on_card(blocks * threads, np.float32, stream))
    rounds, best = 1, 0.0

    def launched():
        start = time.perf_counter()
        target.launch(kernel, blocks, threads, 0, stream, work, rounds, np.float32(0.5))
        target.wait(stream)
        return time.perf_counter() - start

    launched()  # compiles
    while not rehearsal and launched() < 0.03:
        rounds *= 2
    for _ in range(1 if rehearsal else repeats):
        best = max(best, 2.0 * CHAINS * STEPS * rounds * blocks * threads / launched())
    return best


def copy_bandwidth(rehearsal=False, repeats=5, copies=10):
    """Bytes per second of copies within the card's memory, read and written bytes added; the best
    of the repeats."""
    from fracsim.kernels.cuda import target

    stream = target.new_stream()
    size = 2**10 if rehearsal else int(min(2**30, target.free_memory() // 8))
    source, goal = (target.new_on_card(size, np.uint8, stream) for _ in range(2))
    best = 0.0
    for _ in range(repeats + 1):
        target.wait(stream)
        start = time.perf_counter()
        for _ in range(copies):
            target.copy_to_card(source, goal, stream)
        target.wait(stream)
        best = max(best, 2.0 * size * copies / (time.perf_counter() - start))
    return best


def nominal_flops(width):
    """6 B Q of a step of one network: what a step costs where every sample is in the backward
    pass."""
    weights = INPUTS * width + (DEPTH - 1) * width**2 + width
    return 6 * BATCH * (weights + DEPTH * width + 1)


def clock_of(rate, multiprocessors, capability):
    """Hertz at which the card ran while its float32 rate was measured: each multiprocessor has 64
    or 128 such units."""
    units = 64 if tuple(capability) in ((6, 0), (7, 0), (7, 5), (8, 0)) else 128
    return rate / (2 * units * multiprocessors)


class PointLimits(NamedTuple):
    """Points per second that the memory and the instructions allow."""

    memory: float
    instructions: float

    @property
    def least(self):
        return min(self)


def point_limits(bytes_per_point, instructions, bandwidth, multiprocessors, clock):
    """Limits of a kernel that moves so many bytes and takes so many instructions (of one thread)
    for a point.

    A multiprocessor starts four instructions of a warp in each cycle. Instructions are those of the
    PTX: the card's own are more, and threads of a warp wait for each other, so this limit is rather
    too high."""
    return PointLimits(bandwidth / bytes_per_point, multiprocessors * 4 * 32 * clock / instructions)


def smi(*queries):
    """{query: answer} of nvidia-smi for the first card; empty where it is not there."""
    if shutil.which("nvidia-smi") is None:
        return {}
    command = ["nvidia-smi", f"--query-gpu={','.join(queries)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return dict(zip(queries, map(str.strip, lines[0].split(",")), strict=False)) if lines else {}


def card_facts():
    """The card, in words and numbers."""
    from fracsim.kernels.cuda import driver, target

    facts = {
        "card": target.device_name(),
        "capability": list(target.compute_capability()),
        "multiprocessors": target.multiprocessors(),
        "memory": target.memory()[1],
        "numba.cuda": target.implementation(),
    }
    if not target.SIMULATED:
        facts["driver supports CUDA"] = ".".join(map(str, driver.version()))
        facts["toolkit"] = ".".join(map(str, target.toolkit_version()))
    return facts | smi("driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "power.limit")
