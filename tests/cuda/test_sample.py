"""The sampler on the card: in numba's simulator against the CPU's, bit for bit, and what its
compiled code is."""

import numpy as np
import ptx
import pytest
import reference
from ifs import zoo

from fracsim.fractals.curve import parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.fractals.fractal import fractal_names, load_fractal
from fracsim.kernels.cuda import level as card_level
from fracsim.kernels.cuda import sample as card
from fracsim.kernels.cuda.target import (
    SIMULATED,
    cuda,
    kernel,
    launch,
    new_on_card,
    new_stream,
    to_host,
)
from fracsim.kernels.points.sample import sample
from fracsim.kernels.random.philox import SAMPLE, STREAM, TRAIN

ZOO = zoo() | {name: load_fractal(name) for name in fractal_names()}


@pytest.fixture(autouse=True)
def few_threads(monkeypatch):
    """A simulated thread is a thread of Python."""
    if SIMULATED:
        monkeypatch.setattr(card_level, "_THREADS", 8)
        monkeypatch.setattr(card_level, "_BLOCKS", 2)


def check(distribution, seed=3, purpose=SAMPLE, first=0, count=40):
    """Coordinates, labels and levels as on the CPU; these levels."""
    law, geometry = distribution.law(), distribution.fractal.geometry()
    x, y, level = card.sample(geometry, law, seed, purpose, first, count)
    expected = distribution.sample(count, seed, purpose, first)
    assert (x.dtype, y.dtype, level.dtype) == (np.float64, np.int8, np.int16)
    for ours, theirs in zip((x, y, level), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    return level


@pytest.mark.parametrize("margins", [(0.0, 0.0), (0.2, 0.1)])
@pytest.mark.parametrize("name", [name for name in ZOO if name != "many"])
def test_as_on_the_cpu(name, margins):
    """More samples than threads, with rejections, several words per path, seeds and indices beyond
    32 bits."""
    fractal, n = ZOO[name], 9 if ZOO[name].maps <= 3 else 4
    positive_margin, negative_margin = margins
    law = Distribution(
        fractal, n, parse_curve("polynomial:1"), None, positive_margin, negative_margin
    )
    levels = check(law, 2**40 + 5, TRAIN, 2**33 - 10)
    assert len(set(levels.tolist())) > 2


@pytest.mark.parametrize(
    ("gap", "margin"),
    [("centre", 0.0), ("centre", 0.1), ("centre", 0.8), ("complement", 0.0), ("complement", 0.1)],
)
def test_both_gaps(gap, margin):
    check(Distribution(load_fractal("cantor"), 3, parse_curve("1"), gap, 0.0, margin))


@pytest.mark.parametrize("name", ["cantor", "cantor1d", "vicsek", "twisted"])
def test_the_finest_depth(name):
    """Words of many blocks; rounding moves points over borders."""
    check(Distribution(ZOO[name], ZOO[name].greatest_depth, parse_curve("finest:1")), count=60)


def test_many_maps():
    check(Distribution(ZOO["many"], 3, parse_curve("1")))


@pytest.mark.parametrize(("name", "n"), [("cantor1d", 16), ("vicsek", 15), ("cantor", 7)])
def test_points_of_float32(name, n):
    """As on the CPU, also where every second point moves to another cell."""
    distribution = Distribution(ZOO[name], n, parse_curve("polynomial:1"))
    geometry, law = distribution.fractal.geometry(), distribution.law()._replace(rounded=True)
    ours = card.sample(geometry, law, 3, TRAIN, 7, 60)
    for one, other in zip(ours, sample(geometry, law, 3, TRAIN, 7, 60), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(ours[0], ours[0].astype(np.float32))
    np.testing.assert_array_equal(distribution.fractal.level(ours[0], n), ours[2])
    assert n == 7 or (ours[0] != distribution.sample(60, 3, TRAIN, 7).x.astype(np.float32)).any()


@pytest.mark.parametrize("name", ["sierpinski", "twisted01"])
def test_against_the_reference(name):
    distribution = Distribution(ZOO[name], 3, parse_curve("1"), negative_margin=0.05)
    geometry, law = distribution.fractal.geometry(), distribution.law()
    x, _, level = card.sample(geometry, law, 11, SAMPLE, 2**32 - 5, 10)
    for k in range(10):
        point, expected = reference.sample(geometry, law, 11, SAMPLE, 2**32 - 5 + k)
        assert (x[k].tolist(), level[k]) == (point, expected)


def test_pieces(monkeypatch):
    """More samples than fit on the card at a time are the same samples; none are none."""
    monkeypatch.setattr(card_level, "_NUMBERS", 2 * 16)
    distribution = Distribution(load_fractal("pentaflake"), 3, parse_curve("4"))
    check(distribution, first=2**32 - 20, count=45)
    check(distribution, count=0)


@kernel
def _draw_some(geometry, law, seed, first, samples, stacks):
    """How a kernel draws for itself: one sample in each thread."""
    k = cuda.grid(1)
    point, u = cuda.local.array(2, np.float64), cuda.local.array(2, np.float64)
    v, w = cuda.local.array(2, np.float64), cuda.local.array(2, np.float64)
    work = card.Work(u, v, w, stacks.others[k], stacks.marks[k])
    level = card.draw(geometry, law, seed, STREAM, first + np.uint64(k), point, work)
    samples.level[k] = level
    for q in range(2):
        samples.x[k, q] = point[q]


@pytest.mark.parametrize("name", ["cantor", "vicsek"])
def test_draw_in_a_kernel(name):
    distribution, count, stream = (
        Distribution(load_fractal(name), 5, parse_curve("1")),
        16,
        new_stream(),
    )
    geometry, law = (
        card.place(distribution.fractal.geometry(), stream),
        card.place(distribution.law(), stream),
    )
    arrays = (((count, 2), np.float64), (count, np.int8), (count, np.int16))
    samples = card.Samples(*[new_on_card(shape, dtype, stream) for shape, dtype in arrays])
    stacks = card.new_stacks(count, 5, 2, stream)
    launch(
        _draw_some,
        2,
        count // 2,
        0,
        stream,
        geometry,
        law,
        np.uint64(9),
        np.uint64(2**32 - 3),
        samples,
        stacks,
    )
    expected = distribution.sample(count, 9, STREAM, 2**32 - 3)
    np.testing.assert_array_equal(to_host(samples.x, stream), expected.x)
    np.testing.assert_array_equal(to_host(samples.level, stream), expected.level)


# --- the compiled code ----------------------------------------------------------------------------


def kernels():
    """For ``ptx.compile_ptx``: the kernel in several dimensions, and ``draw``."""
    jobs = {}
    for d in (1, 2, 4):
        distribution = Distribution(load_fractal("cantor", d), 5, parse_curve("1"))
        geometry, law = distribution.fractal.geometry(), distribution.law()
        stacks = card_level.Stacks(np.zeros((1, 5, d)), np.zeros((1, 5, 2), np.int64))
        samples = card.Samples(np.zeros((1, d)), np.zeros(1, np.int8), np.zeros(1, np.int16))
        arguments = (geometry, law, np.uint64(1), SAMPLE, np.uint64(1), samples, stacks)
        jobs[f"sample, d = {d}"] = (card.sample_kernel(d), arguments)
        if d == 2:
            jobs["draw"] = (
                _draw_some,
                (geometry, law, np.uint64(1), np.uint64(1), samples, stacks),
            )
    return jobs


@pytest.mark.parametrize("architecture", ptx.EACH)
def test_nothing_is_fused(architecture):
    """The compiler would round once where the CPU rounds twice. It may fuse what has no ``.rn``."""
    for (name, _), text in ptx.compile_ptx("test_sample:kernels", (architecture,)).items():
        assert not ptx.fusible(text), name
        assert ptx.instructions(text, r"mul\.rn\.f64")


@pytest.mark.parametrize("architecture", ptx.EACH)
def test_points_lie_in_registers(architecture):
    for (name, _), text in ptx.compile_ptx("test_sample:kernels", (architecture,)).items():
        used = ptx.registers(text)
        assert (used["stack"], used["spill_stores"]) == (0, 0), name
        assert used["registers"] <= 128, name
