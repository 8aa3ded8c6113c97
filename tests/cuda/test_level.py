"""level(x) on the card: in numba's simulator against the CPU kernel, bit for bit, and what its
compiled code is."""

import itertools

import numpy as np
import ptx
import pytest
import reference
from ifs import dead_end, many, probes, twisted, zoo

from fracsim.fractals.fractal import fractal_names, load_fractal
from fracsim.kernels.cuda import level as card
from fracsim.kernels.cuda.target import SIMULATED

ZOO = (
    zoo()
    | {name: load_fractal(name) for name in fractal_names()}
    | {"cantor:7": load_fractal("cantor:7")}
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:invalid value:RuntimeWarning"
)  # without the JIT, NumPy warns of NaN


@pytest.fixture(autouse=True)
def few_threads(monkeypatch):
    """A simulated thread is a thread of Python."""
    if SIMULATED:
        monkeypatch.setattr(card, "_THREADS", 8)
        monkeypatch.setattr(card, "_BLOCKS", 2)


@pytest.mark.parametrize("name", ZOO)
def test_as_on_the_cpu(name):
    """Points in cells of all levels, on their corners and faces, and outside; more of them than
    threads."""
    fractal, n = ZOO[name], 4 if ZOO[name].maps <= 5 else 2
    x = probes(fractal, n, np.random.default_rng(4))
    levels = card.level(fractal.geometry(), n, x)
    assert levels.dtype == np.int16
    np.testing.assert_array_equal(levels, fractal.level(x, n))
    assert {-1, 0, n} <= set(levels.tolist())  # the probes cover the range


@pytest.mark.parametrize("fractal", [load_fractal("sierpinski"), twisted()], ids=lambda f: f.name)
def test_against_all_addresses(fractal):
    x = probes(fractal, 3, np.random.default_rng(5))[::3]
    assert card.level(fractal.geometry(), 3, x).tolist() == [
        reference.level(fractal.geometry(), 3, p) for p in x
    ]


@pytest.mark.parametrize("name", ["corners", "sierpinski"])
def test_corners_of_cells_that_touch(name):
    """Exact in float64: every corner of a cell lies in it, whichever neighbour shares it."""
    fractal, n = load_fractal(name), 3
    matrices, offsets = fractal.cells(n)
    corners = np.array(list(itertools.product([-1.0, 1.0], repeat=2)))
    x = (np.einsum("cpq,kq->ckp", matrices, corners) + offsets[:, None]).reshape(-1, 2)
    assert (card.level(fractal.geometry(), n, x) == n).all()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_search_leaves_dead_ends(order):
    """0 lies in both images; through the first it maps to 1, which stays for ever, through the
    second to a gap."""
    x = np.array([[0.0], [-0.125], [-0.75]])
    assert card.level(dead_end(order).geometry(), 12, x).tolist() == [12, 12, 0]


@pytest.mark.parametrize("name", ["cantor", "vicsek", "twisted"])
def test_the_finest_depth(name):
    fractal = ZOO[name]
    n = fractal.greatest_depth
    x = np.concatenate(
        [probes(fractal, 3, np.random.default_rng(6))[::5], fractal.cells(3)[1][:20]]
    )
    np.testing.assert_array_equal(card.level(fractal.geometry(), n, x), fractal.level(x, n))


@pytest.mark.parametrize(
    "fractal", [load_fractal("cantor"), twisted(), many()], ids=lambda f: f.name
)
def test_outside_and_not_a_number(fractal):
    x = np.array(
        [
            [1.5, 0],
            [0, -1.0000001],
            [np.nan, 0],
            [0, np.nan],
            [np.inf, 0],
            [-np.inf, np.nan],
            [0.0, 0.0],
        ]
    )
    assert (
        card.level(fractal.geometry(), 4, x).tolist() == [-1] * 6 + fractal.level(x[6:], 4).tolist()
    )
    assert card.level(fractal.geometry(), 0, x).tolist() == [-1] * 6 + [0]


def test_pieces_and_few_threads(monkeypatch):
    """More points than fit at a time, no points, and a search too large for all threads: the same
    levels."""
    fractal = load_fractal("vicsek")
    x = np.random.default_rng(7).uniform(-1, 1, (45, 2))
    expected = fractal.level(x, 5)
    monkeypatch.setattr(card, "_NUMBERS", 2 * 20)
    assert card.chunks(45, 2) == [(0, 20), (20, 40), (40, 45)]
    np.testing.assert_array_equal(card.level(fractal.geometry(), 5, x), expected)
    assert card.level(fractal.geometry(), 5, x[:0]).tolist() == []
    monkeypatch.setattr(card, "_SEARCH_BYTES", 0)
    assert card.grid_for(45, 5, 2)[0] == 1
    np.testing.assert_array_equal(card.level(fractal.geometry(), 5, x), expected)


# --- the compiled code ----------------------------------------------------------------------------


def _fused(out):
    out[0] = out[1] * out[2] - out[3]


def kernels():
    """For ``ptx.compile_ptx``: the kernel in several dimensions, and a bad one."""
    jobs = {"fused": (_fused, (np.zeros(4),))}
    for d in (1, 2, 4, 7):
        stacks = card.Stacks(np.zeros((1, 5, d)), np.zeros((1, 5, 2), np.int64))
        points = card.Levels(np.zeros((1, d)), np.zeros(1, np.int16))
        jobs[f"level, d = {d}"] = (
            card.level_kernel(d),
            (load_fractal("cantor", d).geometry(), 5, points, stacks),
        )
    return jobs


@pytest.mark.parametrize("architecture", ptx.EACH)
def test_nothing_is_fused(architecture):
    """The compiler would round once where the CPU rounds twice. It may fuse what has no ``.rn``."""
    texts = ptx.compile_ptx("test_level:kernels", (architecture,))
    for (name, _), text in texts.items():
        if name == "fused":
            assert ptx.fusible(text), "the test does not see what the compiler may fuse"
        else:
            assert not ptx.fusible(text), name
            assert ptx.instructions(text, r"mul\.rn\.f64")


@pytest.mark.parametrize("architecture", ptx.EACH)
def test_points_lie_in_registers(architecture):
    for (name, _), text in ptx.compile_ptx("test_level:kernels", (architecture,)).items():
        used = ptx.registers(text)
        assert (used["stack"], used["spill_stores"]) == (0, 0), name
        assert used["registers"] <= 64 or name == "level, d = 7", name
