"""Theorems 2, 3 and 4 as numbers, the exact least error on the line, and that they do not
contradict one another."""

import re

import numpy as np
import pytest
import reference_bounds as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from ifs import dead_end

import fracsim
from fracsim.errors import UsageError
from fracsim.fractals.fractal import Fractal, load_fractal
from fracsim.studies.bounds.bounds import bounds_of, lower_error, upper_error
from fracsim.studies.bounds.least_error import gap_shares, least_errors


def line(name, scales, offsets, **more):
    return Fractal(name, np.array(scales)[:, None, None], np.array(offsets)[:, None], **more)


LINES = {
    "cantor1d": load_fractal("cantor1d"),
    "centre": load_fractal("cantor:1"),  # base [-1,1], negatives in the central third
    "dead end": dead_end(),  # two images that touch
    "touching": line(
        "touching", [0.25, -0.25, 0.2], [-0.75, -0.25, 0.6]
    ),  # and gaps at one end of the base
    "three": line("three", [0.2, -0.1, 0.25], [0.75, 0.0, -0.7]),  # apart; from right to left
    "one": line("one", [0.5], [-0.25]),
}
CURVES = ["1", "4", "6", "flat"]


def curve_of(name, n):
    """A curve by its name; "flat" has levels without negatives, the last one among them."""
    if name != "flat":
        return fracsim.parse_curve(name)
    return fracsim.parse_curve([0.5, *([0.7, 0.7, 0.9, 1.0] + [1.0] * n)[: n - 1], 1.0])


def cases(depths):
    return [
        pytest.param(LINES[name], n, curve_of(curve, n), id=f"{name}-{n}-{curve}")
        for name in LINES
        for n in depths
        for curve in CURVES
    ]


# --- the numbers of the paper ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fractal", "n", "widths"),
    [
        ("cantor", 5, [23.5443, 4.1621, 2.3359, np.nan, np.nan]),
        ("cantor1d", 10, [376.7, 11.772, 3.708, 2.081, 1.4715]),
    ],
)
def test_least_width(fractal, n, widths):
    found = bounds_of(fractal, n, "1", depths=range(1, 6)).least_width
    np.testing.assert_allclose(found, widths, rtol=1e-4)  # NaN below d


@pytest.mark.parametrize("name", ["cantor", "cantor1d", "corners", "cantor:3"])
@pytest.mark.parametrize("n", [1, 3, 10])
def test_theorem_2_says_nothing_of_networks_narrower_than_d(name, n):
    found = bounds_of(name, n, "1", depths=range(1, 40))
    least, d = found.least_width, found.fractal.dimension
    assert (np.isnan(least) | (least >= d)).all() or d == 1
    said = [note for note in found.notes if "says nothing of T ≥" in note]
    assert len(said) == (0 < np.isnan(least).sum() < len(least))


def test_numpys_whole_numbers_are_numbers():
    with pytest.raises(UsageError, match="a depth up to 22"):
        least_errors(load_fractal("cantor1d"), np.int64(64), "1")
    for kind in (np.int8, np.int64, np.uint64):
        np.testing.assert_array_equal(
            least_errors(load_fractal("cantor1d"), kind(5), "1"),
            least_errors(load_fractal("cantor1d"), 5, "1"),
        )


def test_upper_errors_by_hand():
    # cantor, n = 5, curve 1: one level a step needs k = 40, two need 160
    found = bounds_of("cantor", 5, "1", depths=range(1, 12), widths=[39, 40, 159, 160])
    assert np.isnan(found.upper_error[:, 0]).all()
    assert found.upper_level[:, 1].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert found.upper_level[:, 2].tolist() == found.upper_level[:, 1].tolist()
    assert found.upper_level[:, 3].tolist() == [0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5]
    assert found.upper_merge[:, 3].tolist() == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]
    p = fracsim.parse_curve("1").values(5)
    np.testing.assert_array_equal(
        found.upper_error[:, 3], 1 - p[found.upper_level[:, 3].astype(int)]
    )


def test_lower_errors_by_hand():
    # cantor1d, n = 10, curve 6: 10 < 2^4, best with j = 9: (1 - 2^(4 - 9)) / 2; T = 2: (1 - 2^(8 -
    # 9)) / 2; then none
    found = bounds_of("cantor1d", 10, "6", depths=[1, 2, 3], widths=[10, 256])
    np.testing.assert_allclose(
        found.lower_error, [[31 / 64, np.nan], [1 / 4, np.nan], [np.nan, np.nan]]
    )
    assert found.lower_level[:2, 0].tolist() == [9, 9]
    assert np.isnan(bounds_of("cantor", 10, "6", depths=[1, 2], widths=[3]).lower_error).all()


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize(("d", "r"), [(1, 1), (1, 2), (1, 3), (2, 4)])
def test_the_best_j_and_s_are_found(d, r, n, curve):
    p = curve_of(curve, n).values(n)
    for depth in range(1, 2 * n + 3):
        for width in (1, 2, 7, 10, 15, 16, 20, 45, 100, 160, 400, 1000, 5000):
            expected = reference.best_construction(p, d, r, depth, width)
            assert upper_error(p, d, r, depth, width)[0] == pytest.approx(expected, nan_ok=True)
            if d == 1 and r > 1:
                expected = reference.best_obstruction(p, r, depth, width)
                assert lower_error(p, d, r, depth, width)[0] == pytest.approx(expected, nan_ok=True)


def test_more_layers_or_units_never_do_worse():
    found = bounds_of("cantor1d", 12, "4", depths=range(1, 12), widths=range(2, 600, 7))
    for values in (found.upper_error, found.lower_error, found.least_error):
        filled = np.where(np.isnan(values), 1.0 if values is found.upper_error else 0.0, values)
        assert (np.diff(filled, axis=0) <= 0).all()
        assert (np.diff(filled, axis=1) <= 0).all()
    assert (np.diff(found.least_width) < 0).all()
    assert (np.diff(found.changes_least_error) <= 0).all()


# --- the exact least error ------------------------------------------------------------------------


@pytest.mark.parametrize(("fractal", "n", "curve"), cases([1, 2, 3, 4]))
def test_least_errors_are_those_of_the_dynamic_program(fractal, n, curve):
    pieces = reference.intervals(fractal, n, curve.values(n), fractal.gap)
    assert sum(mass for _, _, mass, _ in pieces) == pytest.approx(1)
    found = least_errors(fractal, n, curve)
    expected = reference.least_errors(pieces, len(found) + 1)
    np.testing.assert_allclose(found, expected[: len(found)], atol=1e-13)
    assert expected[len(found) - 1 :] == pytest.approx(0, abs=1e-15)
    assert len(found) == 1 or found[-2] > 0  # the last m is the first without error


@pytest.mark.parametrize("name", ["cantor1d", "centre", "dead end"])
@pytest.mark.parametrize("curve", ["1", "4"])
def test_least_errors_at_depth_6(name, curve):
    pieces = reference.intervals(LINES[name], 6, curve_of(curve, 6).values(6), LINES[name].gap)
    found = least_errors(LINES[name], 6, curve)
    np.testing.assert_allclose(found, reference.least_errors(pieces, len(found) - 1), atol=1e-13)


@pytest.mark.parametrize("first", [-1, 1])
def test_least_errors_of_random_masses(first, monkeypatch):
    """Masses without the symmetries of a fractal, many of them equal."""
    rng = np.random.default_rng(first + 1)
    for count in [1, 2, 3, 4, 5, 8, 13, 30, 31]:
        mass = rng.integers(1, 6, count) / 64
        monkeypatch.setattr(
            "fracsim.studies.bounds.least_error.alternating_pieces",
            lambda *_, mass=mass: (mass, first),
        )
        pieces = [(i, i + 1, value, first * (-1) ** i) for i, value in enumerate(mass)]
        found = least_errors(LINES["one"], 1, "1")
        np.testing.assert_array_equal(found, reference.least_errors(pieces, count - 1))


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    name=st.sampled_from(sorted(LINES)),
    n=st.integers(1, 3),
    curve=st.sampled_from(CURVES),
)
def test_no_classifier_is_better(data, name, n, curve):
    """Random thresholds, half of them at borders of pieces, where the best classifiers have
    theirs."""
    fractal, curve = LINES[name], curve_of(curve, n)
    pieces = reference.intervals(fractal, n, curve.values(n), fractal.gap)
    borders = sorted({end for left, right, _, _ in pieces for end in (left, right)})
    place = st.one_of(st.floats(-1.5, 1.5), st.sampled_from(borders))
    thresholds = data.draw(st.lists(place, max_size=12, unique=True))
    error = reference.error_of(pieces, thresholds, data.draw(st.sampled_from([-1, 1])))
    found = least_errors(fractal, n, curve)
    assert error >= found[min(len(thresholds), len(found) - 1)] - 1e-12


def test_the_cantor_set_needs_all_its_gaps():
    for n in (1, 3, 5):
        found = least_errors(LINES["cantor1d"], n, "1")
        assert len(found) == 2 * (2**n - 1) + 1  # 2^n cells, 2^n - 1 gaps
        assert found[0] == pytest.approx(0.5, abs=1e-12)
        assert found[-1] == 0


def test_depth_20_takes_seconds():
    found = least_errors(LINES["cantor1d"], 20, "6")
    # curve 6: 2^19 equal gaps between two cells of 2^20; every two sign changes save one of them
    np.testing.assert_allclose(found[::2][:-1], 0.5 - np.arange(2**19) * 2.0**-20, atol=1e-9)
    assert len(found) == 2**20 + 1


def test_gap_shares_see_reflections_and_touching_images():
    order, shares = gap_shares(LINES["touching"])
    assert order.tolist() == [0, 1, 2]
    np.testing.assert_allclose(shares, [0, 0, 2 / 3, 1 / 3], atol=1e-12)
    assert gap_shares(LINES["three"])[0].tolist() == [2, 1, 0]
    assert gap_shares(LINES["centre"])[1].tolist() == [0, 1, 0]


# --- the theorems against the exact error ---------------------------------------------------------


@pytest.mark.parametrize(("fractal", "n", "curve"), cases([3, 5, 7]))
def test_no_theorem_contradicts_the_exact_error(fractal, n, curve):
    found = bounds_of(
        fractal,
        n,
        curve,
        depths=range(1, 7),
        widths=[1, 2, 3, 4, 5, 7, 8, 10, 15, 20, 31, 63, 100, 300],
    )
    assert not (found.lower_error > found.least_error + 1e-12).any()
    assert not (found.upper_error < found.least_error - 1e-12).any()
    assert not (found.changes_lower_error > found.changes_least_error + 1e-12).any()
    if fractal.gap == "complement" and fractal.maps > 1:
        too_narrow = found.width < found.least_width[:, None]
        assert (found.least_error[too_narrow] > 0).all()


def test_theorem_4_is_tried_where_it_says_something():
    said = [
        np.isfinite(
            bounds_of(fractal, n, "1", depths=range(1, 7), widths=range(1, 101)).lower_error
        ).sum()
        for fractal in (LINES["cantor1d"], LINES["touching"], LINES["three"])
        for n in (5, 7)
    ]
    assert min(said) >= 9


# --- what is refused, and what is said ------------------------------------------------------------


@pytest.mark.parametrize(
    ("fractal", "n", "curve", "said", "nan"),
    [
        ("sierpinski", 3, "1", "images of sierpinski touch", True),
        ("corners", 6, "flat", r"P\(n-1\) = 1", True),
        ("cantor", 3, "1", "gap 'centre' leaves some pairs", False),
        ("corners", 3, "6", "this curve leaves some pairs", False),
        ("corners", 3, "1", "Theorem 4 .* d = 1 only", False),
        (
            "cantor1d",
            40,
            "1",
            r"left out: it takes at most 4,194,304 cells, and cantor1d has 2\^40",
            False,
        ),
    ],
)
def test_notes_say_where_a_theorem_says_nothing(fractal, n, curve, said, nan):
    found = bounds_of(fractal, n, curve_of(curve, n))
    assert any(re.search(said, note) for note in found.notes), found.notes
    assert np.isnan(found.least_width).all() == nan
    assert len(found.sign_changes) == 0
    assert "least_error" not in found.arrays()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"depths": [0]}, r"network_depth \(--depth\) is 0; accepted are whole numbers from 1"),
        ({"depths": []}, "has 0 entries"),
        ({"depths": [1.5]}, "is 1.5"),
        ({"widths": [-3]}, r"width \(--width\) is -3"),
        ({"widths": [10**10]}, "from 1 to 1,000,000,000"),
        ({"sign_changes": [0]}, r"sign_changes \(--sign-changes\) is 0"),
        ({"sign_changes": [3], "fractal": "cantor"}, "d = 1; cantor has d = 2"),
        ({"sign_changes": [3], "fractal_depth": 30}, "depth up to 22"),
        ({"fractal_depth": 0}, "fractal_depth"),
        ({"fractal_depth": 1001}, "fractal_depth"),
        ({"fractal": "cantro"}, "did you mean 'cantor'"),
        ({"curve": "7"}, "unknown curve"),
        ({"curve": "0.5,1"}, "2 values"),
        ({"gap": "middle"}, "gap 'middle'"),
    ],
)
def test_bad_input(arguments, said):
    with pytest.raises(UsageError, match=said):
        bounds_of(**{"fractal": "cantor1d", "fractal_depth": 5, "curve": "1", **arguments})


def test_a_fractal_without_room_for_negatives():
    with pytest.raises(UsageError, match="leave only"):
        least_errors(line("full", [0.5, 0.5], [-0.5, 0.5]), 3, "1")
    with pytest.raises(UsageError, match="d = 1; cantor has d = 2"):
        least_errors(load_fractal("cantor"), 3, "1")
