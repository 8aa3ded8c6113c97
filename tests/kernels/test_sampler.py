"""The sampler: the law it draws from, that label and point agree, margins, and what is refused."""

import numpy as np
import pytest
import reference
from ifs import twisted, zoo
from scipy import stats

from fracsim.errors import UsageError
from fracsim.fractals.curve import PAPER_CURVES, parse_curve
from fracsim.fractals.distribution import Distribution
from fracsim.fractals.fractal import Fractal, fractal_names, load_fractal
from fracsim.kernels.points.sample import sample
from fracsim.kernels.random.philox import SAMPLE, TEST, TRAIN

ZOO = zoo()
N = 1_000_000


def into_cells(fractal, x, j):
    """(address (N,), u (N, d)): the level-j cell of each point, and the point seen from that
    cell."""
    g = fractal.geometry()
    u, address = x.copy(), np.zeros(len(x), dtype=int)
    for _ in range(j):
        images = np.einsum("ipq,nq->nip", g.inverse_matrices, u) + g.inverse_offsets
        centre = 0.5 * (fractal.low + 1)
        i = np.abs(images - centre).max(axis=2).argmin(axis=1)
        u, address = images[np.arange(len(x)), i], address * fractal.maps + i
    return address, u


@pytest.mark.compiled
@pytest.mark.parametrize("curve", PAPER_CURVES)
@pytest.mark.parametrize("name", fractal_names())
def test_curve_and_levels(name, curve):
    """P(j) within 4 standard errors of the closed form; level, label and point agree for every
    sample."""
    n = 5
    fractal, curve = load_fractal(name), parse_curve(curve)
    x, y, level = Distribution(fractal, n, curve).sample(N, seed=7)
    assert (fractal.level(x, n) == level).all()
    assert ((y == 1) == (level == n)).all()
    assert set(np.unique(y)) == {-1, 1}
    P = curve.values(n)
    estimate = 1 - np.array([np.mean((y == -1) & (level >= j)) for j in range(n + 1)])
    error = np.sqrt(P * (1 - P) / N)
    assert (np.abs(estimate - P) <= 4 * error).all()


@pytest.mark.compiled
@pytest.mark.parametrize(
    "name", ["cantor", "cantor1d", "vicsek", "twisted", "twisted01", "cantor:3"]
)
def test_cells_and_points_in_them_are_uniform(name):
    fractal, n = ZOO[name], 3
    x, _, level = Distribution(fractal, n, parse_curve("0.5,0.7,0.85,1")).sample(200_000, seed=3)
    for j in range(n + 1):
        address, u = into_cells(fractal, x[level == j], j)
        counts = np.bincount(address, minlength=fractal.maps**j)
        assert j == 0 or stats.chisquare(counts).pvalue > 1e-4
        if j == n:  # positives are uniform on their cell
            assert np.abs(u - 0.5 * (fractal.low + 1)).max() <= 0.5 * (1 - fractal.low) * (
                1 + 1e-12
            )
            boxes = np.histogramdd(u, bins=5, range=[(fractal.low, 1)] * fractal.dimension)[0]
            assert stats.chisquare(boxes.ravel()).pvalue > 1e-4
        else:  # negatives are uniform on the gap: compare with plain rejection in NumPy
            expected = gap_points(fractal, 400_000, np.random.default_rng(j))
            edges = [np.linspace(fractal.low, 1, 13)] * fractal.dimension
            ours, theirs = (
                np.histogramdd(points, bins=edges)[0].ravel() for points in (u, expected)
            )
            assert (ours[theirs == 0] == 0).all()
            both = np.array([ours, theirs])[:, theirs >= 40]
            assert stats.chi2_contingency(both).pvalue > 1e-4


def gap_points(fractal, count, rng):
    """Uniform points of the base that lie in no image, or of the central third."""
    g = fractal.geometry()
    centre, half = 0.5 * (fractal.low + 1), 0.5 * (1 - fractal.low)
    if fractal.gap == "centre":
        return rng.uniform(centre - half / 3, centre + half / 3, (count, fractal.dimension))
    u = rng.uniform(fractal.low, 1, (count, fractal.dimension))
    images = np.einsum("ipq,nq->nip", g.inverse_matrices, u) + g.inverse_offsets
    return u[(np.abs(images - centre) > half).any(axis=2).all(axis=1)]


LAWS = {
    "plain": {},
    "margins": {"positive_margin": 0.2, "negative_margin": 0.1},
}


@pytest.mark.parametrize("margins", LAWS)
@pytest.mark.parametrize("name", [name for name in ZOO if name not in ("many", "cantor:4")])
def test_against_the_reference(name, margins):
    """Bit for bit, also with rejections, several words per path (n = 9) and seeds and indices
    beyond 32 bits."""
    fractal, n = ZOO[name], 9 if ZOO[name].maps <= 3 else 3
    distribution = Distribution(fractal, n, parse_curve("polynomial:1"), **LAWS[margins])
    seed, first = 2**40 + 5, 2**33 - 10
    x, _, level = distribution.sample(30, seed, TRAIN, first)
    for k in range(30):
        point, expected = reference.sample(
            fractal.geometry(), distribution.law(), seed, TRAIN, first + k
        )
        assert (x[k].tolist(), level[k]) == (point, expected)


@pytest.mark.parametrize("name", ["cantor1d", "vicsek", "twisted01", "cantor"])
def test_points_of_float32_against_the_reference(name):
    """At depths where many are drawn again since rounding moved them."""
    fractal, n = ZOO[name], 12
    distribution = Distribution(fractal, n, parse_curve("polynomial:1"))
    geometry, law = fractal.geometry(), distribution.law()._replace(rounded=True)
    x, _, level = sample(geometry, law, 7, TRAIN, 3, 40)
    for k in range(40):
        assert (x[k].tolist(), level[k]) == reference.sample(geometry, law, 7, TRAIN, 3 + k)
    np.testing.assert_array_equal(x, x.astype(np.float32))


def test_a_sample_depends_on_seed_purpose_and_index_only():
    distribution = Distribution(load_fractal("sierpinski"), 6, parse_curve("4"))
    whole = distribution.sample(1000, seed=1)
    for first, count in [(0, 1), (37, 64), (500, 500), (999, 1)]:
        part = distribution.sample(count, seed=1, first=first)
        assert all((a == b[first : first + count]).all() for a, b in zip(part, whole, strict=True))
    for other in (
        distribution.sample(1000, seed=2),
        distribution.sample(1000, seed=1, purpose=TEST),
    ):
        assert not (other.x == whole.x).any()
    assert (distribution.sample(1000, seed=1, purpose=SAMPLE).x == whole.x).all()


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["cantor", "vicsek", "twisted", "twisted01", "cantor1d"])
def test_margins(name):
    """γ and δ hold for every sample, relative to its own cell, and neither is kept wider than
    asked."""
    fractal, n, gamma, delta = ZOO[name], 4, 0.25, 0.1
    distribution = Distribution(
        fractal, n, parse_curve("1"), positive_margin=gamma, negative_margin=delta
    )
    x, _, level = distribution.sample(100_000)
    g, half, centre = fractal.geometry(), 0.5 * (1 - fractal.low), 0.5 * (fractal.low + 1)
    for j in range(n + 1):
        _, u = into_cells(fractal, x[level == j], j)
        size = np.abs(u - centre).max(axis=1) / half
        images = np.einsum("ipq,nq->nip", g.inverse_matrices, u) + g.inverse_offsets
        nearest = (np.abs(images - centre).max(axis=2) / half).min(axis=1)
        if j == n:
            assert 1 - gamma - 1e-3 < size.max() <= 1 - gamma + 1e-9
        else:
            bound = min(1 - delta, 1 / 3) if fractal.gap == "centre" else 1 - delta
            assert size.max() <= bound + 1e-9
            if fractal.dimension > 1:  # in cantor1d the images keep negatives off the cell's border
                assert size.max() > bound - 1e-2
            assert 1 + delta - 1e-9 <= nearest.min() < 1.2 + delta
    assert (fractal.level(x, n) == level).all()


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["cantor", "cantor1d", "vicsek", "twisted"])
def test_the_finest_depth(name):
    """At the greatest depth cells are only some thousand floats wide: levels still agree, and P(j)
    holds."""
    fractal = ZOO[name]
    n = fractal.greatest_depth
    _, y, level = sample = Distribution(fractal, n, parse_curve("finest:1")).sample(100_000)
    assert (fractal.level(sample.x, n) == level).all()
    assert set(np.unique(level)) == {n - 1, n}
    assert abs(np.mean(y == 1) - 0.5) < 4 * 0.5 / np.sqrt(100_000)
    with pytest.raises(UsageError, match=f"depth {n + 1} is too fine"):
        Distribution(fractal, n + 1, parse_curve("1"))


def test_either_gap_where_both_fit():
    cantor, curve = load_fractal("cantor"), parse_curve("finest:1")
    negatives = [
        Distribution(cantor, 1, curve, gap).sample(20_000) for gap in ("centre", "complement")
    ]
    reach = [np.abs(sample.x[sample.y == -1]).max() for sample in negatives]
    assert reach[0] <= 1 / 3
    assert reach[1] > 0.99


def quarters():
    """Four halves that fill the square."""
    offsets = [[a, b] for a in (-0.5, 0.5) for b in (-0.5, 0.5)]
    return Fractal("quarters", np.array([0.5 * np.eye(2)] * 4), np.array(offsets))


@pytest.mark.parametrize(
    ("fractal", "options", "sentence"),
    [
        (load_fractal("vicsek"), {"gap": "centre"}, "map 5 covers part of it"),
        (load_fractal("cantor"), {"gap": "center"}, "did you mean 'centre'"),
        (quarters(), {}, "leave only 0 of a cell"),
        (
            load_fractal("cantor"),
            {"positive_margin": 1.0},
            "positive_margin must be a number from 0 to 0.999",
        ),
        (load_fractal("cantor"), {"positive_margin": -0.1}, "positive_margin"),
        (load_fractal("cantor"), {"negative_margin": float("nan")}, "negative_margin"),
        (load_fractal("vicsek"), {"negative_margin": 0.9}, "no room"),
        (load_fractal("sierpinski"), {"negative_margin": 0.5}, "no room"),
        (twisted(), {"fractal_depth": 0}, "accepted is a whole number of at least 1"),
        (twisted(), {"fractal_depth": 2.5}, "whole number"),
        (twisted(), {"fractal_depth": 10**6}, "too fine"),
        (twisted(), {"fractal_depth": 2, "curve": parse_curve("2")}, "finest levels"),
    ],
)
def test_refused(fractal, options, sentence):
    given = {"fractal_depth": 3, "curve": parse_curve("1")} | options
    with pytest.raises(UsageError, match=sentence):
        Distribution(fractal, **given)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_refused_seed(seed):
    with pytest.raises(UsageError, match="seed"):
        Distribution(twisted(), 3, parse_curve("1")).sample(1, seed=seed)


@pytest.mark.parametrize(
    ("name", "n", "gap", "margin", "certain"),
    [
        ("cantor", 5, None, 0.0, True),
        ("cantor", 20, None, 0.0, False),  # rounding may move a point over a border
        ("cantor", 5, "complement", 0.0, False),  # a proposal may lie in an image
        ("cantor", 5, None, 0.1, False),
        ("sierpinski", 5, None, 0.0, False),
    ],
)
def test_the_check_is_left_out_only_where_nothing_can_go_wrong(name, n, gap, margin, certain):
    distribution = Distribution(
        load_fractal(name), n, parse_curve("1"), gap=gap, negative_margin=margin
    )
    assert distribution.law().certain == certain
    sample = distribution.sample(20_000, seed=5)
    np.testing.assert_array_equal(load_fractal(name).level(sample.x, n), sample.level)
