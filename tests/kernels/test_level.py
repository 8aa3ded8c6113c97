"""level(x): the kernel against all addresses, border points, points outside."""

import itertools

import numpy as np
import pytest
import reference
from ifs import dead_end, many, probes, twisted, zoo

from fracsim.errors import UsageError
from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.points.level import LANES

ZOO = zoo()


@pytest.mark.parametrize("name", ZOO)
def test_against_all_addresses(name):
    fractal, n = ZOO[name], 3
    x = probes(fractal, n, np.random.default_rng(1))
    expected = [reference.level(fractal.geometry(), n, point) for point in x]
    assert fractal.level(x, n).tolist() == expected
    assert {-1, 0, n} <= set(expected)  # the probes cover the range


@pytest.mark.parametrize("name", ["corners", "sierpinski"])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_cells_are_closed_where_the_arithmetic_is_exact(name, n):
    fractal = load_fractal(name)
    matrices, offsets = fractal.cells(n)
    corners = np.array(list(itertools.product([-1.0, 1.0], repeat=2)))
    x = (np.einsum("cpq,kq->ckp", matrices, corners) + offsets[:, None]).reshape(-1, 2)
    assert (fractal.level(x, n) == n).all()


def test_a_hair_outside_a_cell_is_one_level_up():
    corners = load_fractal("corners")
    edge = np.array([[-0.5, -0.6], [np.nextafter(-0.5, 0), -0.6]])  # K_1 holds [-1, -1/2]^2
    assert corners.level(edge, 1).tolist() == [1, 0]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_search_leaves_dead_ends(order):
    """0 lies in both images; through the first it maps to 1, which stays for ever, through the
    second to a gap."""
    assert dead_end(order).level(np.array([[0.0]]), 12).tolist() == [12]
    assert dead_end(order).level(np.array([[-0.125]]), 12).tolist() == [
        12
    ]  # F_0(1/2), and 1/2 = F_1(0)
    assert dead_end(order).level(np.array([[-0.75]]), 12).tolist() == [0]


def test_shared_border_of_sierpinski():
    """(0, 0) belongs to all three halves, (0, -1/2) to the lower two."""
    sierpinski = load_fractal("sierpinski")
    x = np.array([[0.0, 0.0], [0.0, -0.5], [0.75, 0.75]])
    assert sierpinski.level(x, 8).tolist() == [
        reference.level(sierpinski.geometry(), 8, p) for p in x
    ]
    assert sierpinski.level(x[2:], 8).tolist() == [0]


@pytest.mark.filterwarnings(
    "ignore:invalid value:RuntimeWarning"
)  # without the JIT, NumPy warns of NaN
@pytest.mark.parametrize(
    "fractal", [load_fractal("cantor"), twisted(), many()], ids=lambda f: f.name
)
def test_outside_and_not_a_number(fractal):
    x = np.array(
        [
            [1.5, 0],
            [0, -1.0000001],
            [0.0, 0.0],
        ]
    )
    assert fractal.level(x, 4).tolist()[:2] == [-1] * 2
    assert fractal.level(x, 4)[2] >= 0
    for bad in ([np.nan, 0], [0, np.nan], [np.inf, 0], [-np.inf, np.nan]):
        with pytest.raises(UsageError, match="not finite"):
            fractal.level(np.array([[0.0, 0.0], bad]), 4)


def test_every_row_count_and_depth_zero():
    """Rows of lanes are filled up by other points; none may leak."""
    fractal = load_fractal("vicsek")
    x = np.random.default_rng(2).uniform(-1, 1, (2 * LANES + 3, 2))
    whole = fractal.level(x, 5)
    for count in (0, 1, LANES - 1, LANES, LANES + 1, 2 * LANES):
        assert fractal.level(x[:count], 5).tolist() == whole[:count].tolist()
    assert set(fractal.level(x, 0).tolist()) == {0}


def test_refused():
    fractal = load_fractal("cantor")
    for n in (-1, 2.0, "3", True, None):
        with pytest.raises(UsageError, match="whole number"):
            fractal.level(np.zeros((1, 2)), n)
    with pytest.raises(UsageError, match=r"depth 28 is too fine.*greatest depth is 27"):
        fractal.level(np.zeros((1, 2)), 28)
    with pytest.raises(UsageError, match=r"shape \(N, 2\)"):
        fractal.level(np.zeros((1, 3)), 3)
