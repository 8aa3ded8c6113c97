"""The machine for PTX against NumPy and Python, on kernels compiled as for the card; and that it
finds planted bugs."""

import math
from typing import NamedTuple

import numpy as np
import ptx
import ptx_machine
import pytest

pytestmark = [pytest.mark.compiled, pytest.mark.slow]


class Things(NamedTuple):
    x: np.ndarray
    y: np.ndarray


def _one(dtype):
    return np.zeros(1, dtype)


def kernels():
    """The kernels of ptx_kernels.py with example arguments, for ``ptx.compile_ptx``."""
    import ptx_kernels as k

    f4, f8, i8, u4, u8 = (
        _one(dtype) for dtype in (np.float32, np.float64, np.int64, np.uint32, np.uint64)
    )
    return {
        "float32": (k.arithmetic, (Things(f4, f4), f4)),
        "float64": (k.arithmetic, (Things(f8, f8), f8)),
        "functions": (k.functions, (f8, f8)),
        "integers": (k.integers, (i8, i8, i8)),
        "int32": (k.integers, (_one(np.int32), _one(np.int32), i8)),
        "conversions": (k.conversions, (f8, i8, f4)),
        "philox": (k.random, (u8, u4, u8)),
        "reduction": (k.reduction, (f4, f4)),
        "divergent": (k.divergent, (i8, i8)),
        "local": (k.local, (f4, i8)),
        "spin": (k.spin, (_one(np.int32), u8, 3)),
        "unfenced": (k.unfenced, (_one(np.int32), u8, 3)),
        "dynamic": (k.dynamic, (f8, f8)),
        "race": (k.race, (f4,)),
        "outside": (k.outside, (f4, 3)),
        "unwritten": (k.unwritten, (f4,)),
        "stuck": (k.stuck, (i8,)),
        "warp": (k.warp, (u4, u4)),
        "flags": (k.flags, (np.zeros(1, np.int8), np.zeros(1, np.bool_), True)),
    }


@pytest.fixture(scope="module")
def compiled():
    """{name: PTX} for sm_90."""
    return {
        name: text
        for (name, _), text in ptx.compile_ptx("test_ptx_machine:kernels", ("sm_90",)).items()
    }


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_float_arithmetic_equals_numpys(compiled, name, generator):
    """Bit for bit, NaN and infinities included; a product and a sum are one fma, which Fractions
    check."""
    from fractions import Fraction

    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, 1e-40, 3.0]
    x, y = (np.array(a).ravel().astype(name) for a in np.meshgrid(special, special))
    x, y = (np.concatenate([a, generator.normal(size=64).astype(name)]) for a in (x, y))
    out = np.zeros(9 * len(x), name)
    ptx_machine.run(compiled[name], 4, 32, (Things(x, y), out), races=True)
    out = out.reshape(9, -1)
    with np.errstate(all="ignore"):
        expected = [x + y, x - y, x * y, x / y, np.sqrt(x), x < y, ~(x >= y), np.abs(x)]
    for row, values in zip(out, expected, strict=False):
        np.testing.assert_array_equal(row, np.asarray(values, name))
    for a, b, c in zip(x[64:], y[64:], out[8, 64:], strict=True):
        exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(a))
        near = [c, np.nextafter(c, c.dtype.type(np.inf)), np.nextafter(c, c.dtype.type(-np.inf))]
        assert min(near, key=lambda one: abs(Fraction(float(one)) - exact)) == c


def test_functions_are_those_of_python(compiled):
    """exp, log, sin, cos and pow of libdevice, to the two units in the last place that NVIDIA
    promises."""
    x = np.linspace(0.01, 30, 64)
    x[-2:] = 1e6, 1e12  # these need the slow reduction, a function of its own
    out = np.zeros(5 * 64)
    assert "call.uni" in compiled["functions"]
    ptx_machine.run(compiled["functions"], 2, 32, (x, out))
    expected = [
        [f(v) for v in x]
        for f in (lambda v: math.exp(-v), math.log, math.sin, math.cos, lambda v: v**2.5)
    ]
    np.testing.assert_allclose(out.reshape(5, 64), expected, rtol=5e-16, atol=1e-16)


@pytest.mark.parametrize("name", ["integers", "int32"])
def test_integer_arithmetic_wraps(compiled, name, generator):
    """Sums, products, quotients, shifts and logic of int64 and int32 as in NumPy's C."""
    dtype = np.int64 if name == "integers" else np.int32
    limits = np.iinfo(dtype)
    a, b = generator.integers(limits.min, limits.max, (2, 64), dtype)
    a[:4], b[:4] = (limits.min, limits.max, -7, 7), (limits.max, limits.max, 2, -2)
    out = np.zeros(8 * 64, np.int64)
    ptx_machine.run(compiled[name], 2, 32, (a, b, out))
    a, b = a.astype(np.int64), b.astype(np.int64)  # numba computes with int64
    with np.errstate(over="ignore"):
        expected = [a + b, a * b, a // b, a % b, a >> (b & 63), a ^ b, np.minimum(a, b), a < b]
    np.testing.assert_array_equal(out.reshape(8, 64), expected)


def test_conversions(compiled):
    """float64 to int64, uint8 and float32, and int64 to float32, as the CPU converts them."""
    x = np.array([0.5, -0.5, 1.5, 2.5, -2.5, 1e10, 254.9, 16777217.0])
    n = np.array([1, -1, 2**24 + 1, 2**53 + 1, -(2**31), 7, 2**62 + 1, 0])
    out = np.zeros(32, np.float32)
    ptx_machine.run(compiled["conversions"], 1, 8, (x, n, out))
    expected = [np.trunc(x), x, n, np.rint(x)]
    np.testing.assert_array_equal(
        out.reshape(4, 8), np.array([np.asarray(e).astype(np.float32) for e in expected])
    )


def test_random_words_and_orders_are_the_cpus(compiled):
    """Philox and the Feistel permutation, bit for bit."""
    from fracsim.kernels.random.feistel import epoch_key, shuffled
    from fracsim.kernels.random.philox import random_words

    index = np.arange(64, dtype=np.uint64) * np.uint64(0x1_0000_0001)
    words, order = np.zeros(256, np.uint32), np.zeros(64, np.uint64)
    ptx_machine.run(compiled["philox"], 2, 32, (index, words, order))
    python = getattr(random_words, "py_func", random_words)
    with np.errstate(over="ignore"):
        expected = [python(one, 5, 3, np.uint64(2**63 + 9)) for one in index]
    np.testing.assert_array_equal(words.reshape(64, 4), expected)
    key = epoch_key(np.uint64(7), np.uint64(3))
    assert order.tolist() == [shuffled(np.uint32(i), 64, key) for i in range(64)]
    assert sorted(order) == list(range(64))


@pytest.mark.parametrize("order", ["forward", "reverse", "random"])
def test_reduction_with_barriers(compiled, order, generator):
    """A sum in shared memory, in the order of the tree; whichever thread runs first."""
    x = generator.normal(size=256).astype(np.float32)
    out = np.zeros(4, np.float32)
    result = ptx_machine.run(compiled["reduction"], 4, 64, (x, out), races=True, order=order)
    tree = x.reshape(4, 64)
    while tree.shape[1] > 1:
        tree = tree[:, : tree.shape[1] // 2] + tree[:, tree.shape[1] // 2 :]
    np.testing.assert_array_equal(out, tree[:, 0])
    assert result.barriers == 4 * 7


def test_divergent_loops(compiled):
    """Steps of the Collatz sequence: each thread goes round its own number of times."""

    def steps(n):
        return 0 if n == 1 else 1 + steps(n // 2 if n % 2 == 0 else 3 * n + 1)

    n, out = np.arange(1, 65), np.zeros(64, np.int64)
    ptx_machine.run(compiled["divergent"], 2, 32, (n, out), races=True)
    assert out.tolist() == [steps(int(one)) for one in n]


def test_local_arrays(compiled):
    """Places chosen at run time, so that the array is not in registers."""
    x, places = np.arange(64, dtype=np.float32), np.arange(64)[::-1] % 8
    expected = [float(p) * 8 + t for t, p in enumerate(places)]
    ptx_machine.run(compiled["local"], 2, 32, (x, places.copy()))
    assert x.tolist() == expected


@pytest.mark.parametrize("order", ["forward", "reverse", "random"])
def test_blocks_meet_by_an_atomic(compiled, order):
    """Three rounds in which each of two blocks reads what the other has written."""
    counter, x = np.zeros(1, np.int32), np.arange(64, dtype=np.uint64)
    ptx_machine.run(compiled["spin"], 2, 32, (counter, x, 3), races=True, order=order)
    expected = np.arange(64, dtype=np.uint64)
    for _ in range(3):
        expected = expected + np.roll(expected, 32) * np.uint64(3)
    np.testing.assert_array_equal(x, expected)
    with pytest.raises(ptx_machine.PtxFault, match="no end"):
        ptx_machine.run(compiled["spin"], 1, 32, (counter * 0, x, 3), limit=10**6)


def test_dynamic_shared_memory_above_48_kib(compiled, generator):
    """The whole of 100 KiB is there, and nothing behind it."""
    x, out = generator.normal(size=12800), np.zeros(12800)
    ptx_machine.run(compiled["dynamic"], 1, 64, (x, out), shared_bytes=12800 * 8, races=True)
    np.testing.assert_array_equal(out, x[::-1])
    with pytest.raises(
        ptx_machine.PtxFault, match=r"not there.* shared memory of block 0 \(102392 bytes\)"
    ):
        ptx_machine.run(compiled["dynamic"], 1, 64, (x, out), shared_bytes=12800 * 8 - 8)


def test_warp_operations(compiled):
    """A sum by shuffles and a ballot."""
    x, out = np.arange(64, dtype=np.uint32), np.zeros(64, np.uint32)
    ptx_machine.run(compiled["warp"], 1, 64, (x, out), races=True)
    assert out[:32].tolist() == [496 + 0x0000FFFF % 7] * 32
    assert out[32:].tolist() == [496 + 32 * 32] * 32


def test_small_types(compiled):
    """int8 and boolean arrays, and a boolean argument."""
    x, flags = np.arange(-32, 32).astype(np.int8), np.zeros(64, np.bool_)
    ptx_machine.run(compiled["flags"], 2, 32, (x, flags, True), races=True)
    np.testing.assert_array_equal(flags, np.arange(-32, 32) > 3)
    np.testing.assert_array_equal(x, -np.arange(-32, 32))


FAULTS = {
    "race": (
        lambda: (np.zeros(64, np.float32),),
        r"thread \(\d+, 0, 0\) of block \(0, 0, 0\) races with thread",
    ),
    "outside": (
        lambda: (np.zeros(64, np.float32), 3),
        r"thread \(61, .*not there.* offset 256 of argument array",
    ),
    "unwritten": (lambda: (np.zeros(64, np.float32),), r"never written; PTX line \d+: ld.shared"),
    "unfenced": (
        lambda: (np.zeros(1, np.int32), np.arange(64, dtype=np.uint64), 3),
        r"block \(\d, .*races with .*\(\d, ",
    ),
    "stuck": (lambda: (np.zeros(64, np.int64),), "different barriers"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_bugs_are_found(compiled, name):
    """A missing barrier, an index too large, memory never written, no fence between blocks,
    divergent barriers."""
    arguments, message = FAULTS[name]
    blocks = 2 if name == "unfenced" else 1
    with pytest.raises(ptx_machine.PtxFault, match=message):
        ptx_machine.run(compiled[name], blocks, 64 // blocks, arguments(), races=name != "stuck")


def test_wrong_launches_are_refused(compiled):
    """Arguments that do not fit the kernel, and a launch larger than the card."""
    with pytest.raises(
        ptx_machine.PtxError, match="the arguments make 8 parameters, the kernel takes 7"
    ):
        ptx_machine.run(compiled["race"], 1, 32, (np.zeros(32, np.float32), 1))
    with pytest.raises(ptx_machine.PtxError, match="bytes of shared memory"):
        ptx_machine.run(compiled["race"], 1, 32, (np.zeros(32, np.float32),), shared_bytes=1 << 18)
