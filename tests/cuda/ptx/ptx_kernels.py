"""Small CUDA kernels that test the machine for PTX, some with a planted bug. Only compiled, never
run by numba."""

import math

import numba
import numpy as np

from fracsim.kernels.cuda.target import cuda, device
from fracsim.kernels.random.feistel import epoch_key, shuffled
from fracsim.kernels.random.philox import random_words


def arithmetic(things, out):
    """Nine rows of results of two floats."""
    i = cuda.grid(1)
    a, b, n = things.x[i], things.y[i], things.x.size
    out[i] = a + b
    out[n + i] = a - b
    out[2 * n + i] = a * b
    out[3 * n + i] = a / b
    out[4 * n + i] = math.sqrt(a)
    out[5 * n + i] = 1 if a < b else 0
    out[6 * n + i] = 0 if a >= b else 1
    out[7 * n + i] = abs(a)
    out[8 * n + i] = cuda.fma(a, b, a)


def functions(x, out):
    """Functions of libdevice."""
    i = cuda.grid(1)
    out[i] = math.exp(-x[i])
    out[64 + i] = math.log(x[i])
    out[128 + i] = math.sin(x[i])
    out[192 + i] = math.cos(x[i])
    out[256 + i] = x[i] ** 2.5


def integers(a, b, out):
    """Eight rows of results of two integers."""
    i = cuda.grid(1)
    p, q = a[i], b[i]
    out[i] = p + q
    out[64 + i] = p * q
    out[128 + i] = p // q
    out[192 + i] = p % q
    out[256 + i] = p >> (q & 63)
    out[320 + i] = p ^ q
    out[384 + i] = p if p < q else q
    out[448 + i] = 1 if p < q else 0


def conversions(x, n, out):
    """Between floats and integers."""
    i = cuda.grid(1)
    out[i] = np.int64(x[i])
    out[8 + i] = x[i]
    out[16 + i] = n[i]
    out[24 + i] = round(x[i])


def random(index, words, order):
    """fracsim's random words and an epoch's order."""
    i = cuda.grid(1)
    a, b, c, d = random_words(index[i], 5, 3, np.uint64(2**63 + 9))
    words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3] = a, b, c, d
    order[i] = shuffled(np.uint32(i), 64, epoch_key(np.uint64(7), np.uint64(3)))


def reduction(x, out):
    """The sum of each block's 64 numbers."""
    t = cuda.threadIdx.x
    part = cuda.shared.array(64, numba.float32)
    part[t] = x[cuda.grid(1)]
    half = 32
    while half > 0:
        cuda.syncthreads()
        if t < half:
            part[t] += part[t + half]
        half //= 2
    cuda.syncthreads()
    if t == 1:
        out[cuda.blockIdx.x] = part[0]


def divergent(n, out):
    """Steps of the Collatz sequence."""
    i = cuda.grid(1)
    value, steps = n[i], 0
    while value != 1:
        if value % 2 == 0:
            value //= 2
        else:
            value = 3 * value + 1
        steps += 1
    out[i] = steps


def local(x, places):
    """An array of its own for each thread."""
    i = cuda.grid(1)
    mine = cuda.local.array(8, numba.float32)
    for j in range(8):
        mine[(j + i) % 8] = (j + i) % 8 * 8
    x[i] += mine[places[i]]


@device
def _round(counter, x, fenced):
    i = cuda.grid(1)
    other = x[(i + cuda.blockDim.x) % x.size]
    for half in range(2):
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            if fenced:
                cuda.threadfence()
            ticket = cuda.atomic.add(counter, 0, 1)
            goal = (ticket // 2 + 1) * 2
            while cuda.atomic.add(counter, 0, 0) < goal:
                pass
            if fenced:
                cuda.threadfence()
        cuda.syncthreads()
        if half == 0:
            x[i] += other * np.uint64(3)


def spin(counter, x, rounds):
    """Blocks read each other's numbers, wait at a barrier, write their own, wait again."""
    for _ in range(rounds):
        _round(counter, x, True)


def unfenced(counter, x, rounds):
    """The same without fences: a bug."""
    for _ in range(rounds):
        _round(counter, x, False)


def dynamic(x, out):
    """Numbers turned round in dynamic shared memory."""
    part = cuda.shared.array(0, numba.float64)
    for i in range(cuda.threadIdx.x, x.size, cuda.blockDim.x):
        part[i] = x[i]
    cuda.syncthreads()
    for i in range(cuda.threadIdx.x, x.size, cuda.blockDim.x):
        out[i] = part[x.size - 1 - i]


def race(x):
    """Neighbours' numbers without a barrier: a bug."""
    t = cuda.threadIdx.x
    part = cuda.shared.array(64, numba.float32)
    part[t] = 0
    cuda.syncthreads()
    part[t] = x[t]
    x[t] = part[63 - t]


def outside(x, offset):
    """The last threads write behind the array: a bug."""
    x[cuda.grid(1) + offset] = 1.0


def unwritten(x):
    """Half of the shared memory is never written: a bug."""
    t = cuda.threadIdx.x
    part = cuda.shared.array(64, numba.float32)
    if t < 32:
        part[t] = x[t]
    cuda.syncthreads()
    x[t] = part[t]


def stuck(x):
    """Threads wait at different barriers: a bug."""
    if x[cuda.grid(1)] + cuda.threadIdx.x < 16:
        x[0] = 3
        cuda.syncthreads()
        x[1] = 4
    else:
        cuda.syncthreads()
        x[2] = 5


def warp(x, out):
    """The sum of a warp by shuffles, and a ballot."""
    i = cuda.grid(1)
    value = x[i]
    votes = cuda.ballot_sync(0xFFFFFFFF, i < 16)
    for step in (16, 8, 4, 2, 1):
        value += cuda.shfl_xor_sync(0xFFFFFFFF, value, step)
    cuda.syncwarp()
    out[i] = value + votes % 7


def flags(x, positive, turn):
    """One-byte types."""
    i = cuda.grid(1)
    positive[i] = x[i] > 3
    if turn:
        x[i] = -x[i]
