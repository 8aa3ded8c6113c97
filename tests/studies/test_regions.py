"""Linear regions: equal to exact rational arithmetic, to regioncam, to the theorems."""

import itertools
import math

import numpy as np
import pytest
import reference
import reference_regions as exact
from hypothesis import given, settings
from hypothesis import strategies as st
from networks_of_regions import fold, lines_in_general_position, random_network, tent_power

from fracsim.networks.initial import Shape, initial_parameters, split_layers
from fracsim.studies.regions.bounds import region_bounds, zaslavsky
from fracsim.studies.regions.regions import (
    boundary_distances,
    count_on_segment,
    count_on_segments,
    partition,
    random_points,
)

SQUARE = (-1, 1, -1, 1)


def counts(result):
    return result.activation_regions, result.linear_pieces


@pytest.mark.parametrize(
    ("depth", "width", "seed"),
    [
        *((1, 5, 0), (2, 6, 1), (3, 5, 2), (4, 3, 4), (5, 2, 5), (3, 4, 6)),
        *((2, (7, 3), 7), (3, (3, 9, 2), 8), (3, (4, 1, 5), 9), (4, (1, 6, 2, 4), 10)),
    ],
)
def test_a_window_as_in_exact_arithmetic(depth, width, seed):
    shape, params = random_network(2, depth, width, seed)
    window = (-1.5, 1, -0.5, 2)
    regions = exact.plane_regions(shape, params, window)
    parts = partition(shape, params, window)
    assert counts(parts) == exact.plane_counts(shape, params, window)
    centres = np.array([parts.polygon(f).mean(0) for f in range(parts.activation_regions)])
    areas, found = [float(exact.area(corners)) for corners, _, _ in regions], set()
    for (corners, _, (a, b, c)), area in zip(regions, areas, strict=True):
        middle = np.mean([[float(x), float(y)] for x, y in corners], axis=0)
        f = int(np.argmin(((centres - middle) ** 2).sum(1)))
        found.add(f)
        assert parts.area[f] == pytest.approx(area, rel=1e-9, abs=1e-12)
        np.testing.assert_allclose(
            [*parts.gradient[f], parts.offset[f]], [float(a), float(b), float(c)], atol=1e-12
        )
    assert len(found) == len(regions)


@pytest.mark.parametrize(("distance", "turn"), [(0.0, 0.0), (0.3, 0.0), (0.1, 1.0), (0.0, 0.7)])
def test_lines_that_coincide_stay_one(distance, turn):
    shape, params = fold(distance, turn)
    assert counts(partition(shape, params, SQUARE)) == exact.plane_counts(shape, params, SQUARE)


@pytest.mark.parametrize(
    ("inputs", "depth", "width", "seed"),
    [
        *((1, 1, 6, 0), (1, 3, 6, 1), (2, 4, 5, 2), (5, 2, 8, 3), (1, 5, 2, 4)),
        *((1, 2, (9, 3), 5), (2, 3, (3, 12, 5), 6), (5, 3, (2, 1, 7), 7)),
        (1, 4, (10, 4, 11, 1), 8),
    ],
)
def test_a_segment_as_in_exact_arithmetic(inputs, depth, width, seed):
    shape, params = random_network(inputs, depth, width, seed)
    start, end = np.random.default_rng(seed).uniform(-2, 2, (2, inputs))
    line = count_on_segment(shape, params, start, end)
    truth = exact.line_regions(shape, params, start, end)
    assert counts(line) == exact.line_counts(shape, params, start, end)
    np.testing.assert_allclose(
        line.ends, [0, *(float(high) for _, high, _, _ in truth)], atol=1e-12
    )
    np.testing.assert_allclose(
        line.slope, [float(slope) for _, _, _, (slope, _) in truth], atol=1e-11
    )
    points = start + line.ends[:, None] * (end - start)
    np.testing.assert_allclose(
        line.values, reference.forward(shape, params.astype(float), points), atol=1e-11
    )
    for (layer, unit), x in zip(
        line.crossed[1:-1], points[1:-1], strict=True
    ):  # that unit is zero there
        for weights, biases in reference.layers(shape, params.astype(float))[: layer + 1]:
            z = x @ weights + biases
            x = np.maximum(z, 0)
        assert abs(z[unit]) < 1e-11


@pytest.mark.parametrize("inputs", [1, 2])
def test_as_many_as_regioncam_finds(inputs):
    regioncam = pytest.importorskip("regioncam", reason="regioncam, a test extra, is not installed")
    rng = np.random.default_rng(inputs)
    for seed in range(50):
        shape, params = random_network(
            inputs, int(rng.integers(1, 6)), int(rng.integers(1, 33)), seed
        )
        peer = regioncam.Regioncam(size=1.0) if inputs == 2 else regioncam.Regioncam1D(2.0)
        for number, (weights, biases) in enumerate(split_layers(shape, params)):
            if number:
                peer.relu()
            peer.linear(np.ascontiguousarray(weights), np.ascontiguousarray(biases))
        ours = (
            partition(shape, params, SQUARE)
            if inputs == 2
            else count_on_segment(shape, params, [-1], [1])
        )
        theirs = peer.num_faces if inputs == 2 else peer.num_edges
        assert ours.activation_regions == theirs, (shape, seed)


@pytest.mark.parametrize("seed", [0, 1])
def test_wide_networks_differ_from_regioncam_in_slivers_only(seed):
    regioncam = pytest.importorskip("regioncam", reason="regioncam, a test extra, is not installed")
    shape, params = random_network(2, 3, 64, seed)
    peer = regioncam.Regioncam(size=1.0)
    for number, (weights, biases) in enumerate(split_layers(shape, params)):
        if number:
            peer.relu()
        peer.linear(np.ascontiguousarray(weights), np.ascontiguousarray(biases))
    ours, theirs = (
        partition(shape, params, SQUARE).area,
        np.array([face.area for face in peer.faces]),
    )
    assert abs(ours.sum() - 4) < 1e-12
    assert (
        abs((ours > 1e-9).sum() - (theirs > 1e-9).sum()) <= 2
    )  # float32 areas near the limit fall on either side
    large = min(len(ours), len(theirs)) - 40
    np.testing.assert_allclose(np.sort(ours)[-large:], np.sort(theirs)[-large:], atol=1e-6)


@pytest.mark.parametrize(("n", "regions"), [(3, 7), (5, 16), (8, 37), (12, 79)])
def test_zaslavskys_numbers(n, regions):
    shape, params = lines_in_general_position(n)
    assert counts(partition(shape, params, (-99, 99, -99, 99))) == (regions, regions)
    assert zaslavsky(n, 2) == regions == region_bounds(shape)["serra"]


@pytest.mark.parametrize(("k", "width"), [(1, 2), (2, 3), (5, 2), (10, 3), (15, 2), (20, 2)])
def test_telgarskys_tent(k, width):
    line = count_on_segment(*tent_power(k, width), [0], [1])
    assert counts(line) == (2**k, 2**k)
    assert set(np.abs(line.slope)) == {2.0**k}
    np.testing.assert_array_equal(line.values, np.arange(2**k + 1) % 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 2**32))
def test_never_more_than_serras_bound_or_fewer_than_are_seen(widths, seed):
    shape, params = random_network(2, len(widths), tuple(widths), seed)
    parts = partition(shape, params, SQUARE)
    assert parts.linear_pieces <= parts.activation_regions <= region_bounds(shape)["serra"]
    assert parts.area.min() > 0
    assert parts.area.sum() == pytest.approx(4, abs=1e-12)
    points = random_points(500, SQUARE, seed)
    assert exact.sampled_patterns(shape, params, points) <= parts.activation_regions
    line = count_on_segment(shape, params, [-1, -1], [1, 0.7])
    assert line.activation_regions <= region_bounds(shape, 1)["serra"]


@pytest.mark.parametrize("width", [20, (12, 30, 8, 15)])
def test_the_functions_of_the_regions_are_the_networks(width):
    shape, params = random_network(2, 4, width, 3)
    parts = partition(shape, params, SQUARE)
    centres = np.array([parts.polygon(f).mean(0) for f in range(parts.activation_regions)])
    f = (parts.gradient * centres).sum(1) + parts.offset
    truth = reference.forward(shape, params.astype(float), centres)
    np.testing.assert_allclose(f, truth, atol=1e-12)
    certain = parts.sign != 0
    assert 0 < certain.sum() < len(certain)
    np.testing.assert_array_equal(parts.sign[certain], np.sign(truth[certain]))


@pytest.mark.parametrize("width", [8, (8, 3, 11)])
def test_a_plane_in_a_larger_space(width):
    shape, params = random_network(5, 3, width, 2)
    origin, directions = np.arange(5) / 10, np.random.default_rng(0).normal(size=(2, 5))
    parts = partition(shape, params, SQUARE, plane=(origin, directions))
    centres = np.array([parts.polygon(f).mean(0) for f in range(parts.activation_regions)])
    f = (parts.gradient * centres).sum(1) + parts.offset
    np.testing.assert_allclose(
        f, reference.forward(shape, params.astype(float), origin + centres @ directions), atol=1e-12
    )
    across = count_on_segment(shape, params, origin - directions[0], origin + directions[0])
    assert across.activation_regions > 1


def test_breakpoints_of_one_layer_are_cauchy():
    """Expected in |x| ≤ R: n (2/π) arctan(σ_w R / σ_b), σ_w = √2 (He), σ_b = 0.5."""
    shape, reach, draws = Shape(1, 1, 100), 0.4, 400
    found = np.array(
        [
            count_on_segment(
                shape, initial_parameters(shape, "he", seed, bias_std=0.5), [-reach], [reach]
            ).activation_regions
            - 1
            for seed in range(draws)
        ]
    )
    share = 2 / math.pi * math.atan(math.sqrt(2) * reach / 0.5)
    error = math.sqrt(100 * share * (1 - share) / draws)
    assert abs(found.mean() - 100 * share) < 4 * error


@pytest.mark.parametrize("width", [20, (30, 9, 21)])
def test_segments_do_not_depend_on_threads(width):
    shape, params = random_network(3, 3, width, 0)
    starts, ends = random_points(150, (-1, 1) * 3, 1), random_points(150, (-1, 1) * 3, 1, first=150)
    many = count_on_segments(shape, params, starts, ends, threads=3)
    np.testing.assert_array_equal(many, count_on_segments(shape, params, starts, ends))
    alone = [
        counts(count_on_segment(shape, params, a, b)) for a, b in zip(starts, ends, strict=True)
    ]
    np.testing.assert_array_equal(many, alone)
    assert many[:, 0].min() < many[:, 0].max()


@pytest.mark.parametrize("width", [12, (5, 14, 8)])
def test_distances_reach_the_nearest_boundary(width):
    shape, params = random_network(2, 3, width, 5)
    points = random_points(40, (-0.5, 0.5, -0.5, 0.5), 0)
    distances = boundary_distances(shape, params, points)
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    circle = np.column_stack((np.cos(angles), np.sin(angles)))
    for x, distance in zip(points, distances, strict=True):
        assert (
            exact.sampled_patterns(shape, params, np.vstack([x, x + 0.999 * distance * circle]))
            == 1
        )
        assert (
            exact.sampled_patterns(shape, params, np.vstack([x, x + 1.001 * distance * circle])) > 1
        )


def test_networks_without_cuts():
    shape, params = random_network(2, 0, 5, 0)
    parts = partition(shape, params, SQUARE)
    assert counts(parts) == (1, 1)
    np.testing.assert_allclose([*parts.gradient[0], parts.offset[0]], params)
    assert counts(count_on_segment(shape, params, [0, 0], [1, 1])) == (1, 1)
    assert boundary_distances(shape, params, [[0, 0]])[0] == math.inf
    zeros = np.zeros(2 * 3 + 3 + 3 * 3 + 3 + 4)
    assert counts(partition(Shape(2, 2, 3), zeros, SQUARE)) == (1, 1)
    assert counts(count_on_segment(Shape(2, 2, 3), zeros, [0, 0], [1, 1])) == (1, 1)


@pytest.mark.parametrize(
    ("inputs", "depth", "width", "montufar", "plus_one", "serra", "one_layer"),
    [
        (1, 3, 4, 80, 125, 125, 13),
        (2, 2, 8, 592, 925, 1369, 137),
        (2, 3, 8, 9472, 23125, 50653, 301),
    ],
)
def test_bounds_are_those_of_the_literature(
    inputs, depth, width, montufar, plus_one, serra, one_layer
):
    bounds = region_bounds(Shape(inputs, depth, width))
    assert bounds["montufar"] == montufar
    assert bounds["montufar_plus_one"] == plus_one
    assert bounds["serra"] == serra
    assert bounds["zaslavsky"] == one_layer
    assert bounds["paper"] == pytest.approx((math.e * width / inputs) ** (depth * inputs))
    assert region_bounds(Shape(3, 500, 1000))["paper"] == math.inf


@pytest.mark.parametrize("widths", list(itertools.product([1, 2, 3, 4, 5, 6, 7, 12], repeat=2)))
@pytest.mark.parametrize("m", [1, 2, 4])
def test_no_lower_bound_exceeds_an_upper_one(widths, m):
    bounds = region_bounds(Shape(m, widths))
    assert bounds["zaslavsky"] >= 1
    for lower in ("montufar", "montufar_plus_one"):
        assert bounds[lower] is None or bounds[lower] <= bounds["serra"]
    assert bounds["paper"] is None or bounds["serra"] <= bounds["paper"] * (1 + 1e-12)
    assert (bounds["montufar"] is None) == (bounds["paper"] is None) == (min(widths) < m)
    assert (bounds["montufar_plus_one"] is None) == (min(widths) < 3 * m)


@pytest.mark.parametrize(
    ("shape", "silent"),
    [
        (Shape(1, (1, 1)), {"montufar_plus_one"}),
        (Shape(4, (4, 4, 4, 4)), {"montufar_plus_one"}),
        (Shape(2, (1,)), {"montufar", "montufar_plus_one", "paper"}),
        (Shape(2, ()), set()),
        (Shape(2, (100, 5)), {"montufar_plus_one"}),
    ],
)
def test_bounds_outside_their_hypotheses_are_none(shape, silent):
    bounds = region_bounds(shape)
    assert {key for key, bound in bounds.items() if bound is None} == silent


def test_bounds_of_layers_that_differ_and_of_numpys_whole_numbers():
    bounds = region_bounds(Shape(2, (8, 5)))
    assert bounds["montufar"] == 4**2 * (1 + 5 + 10)
    assert bounds["zaslavsky"] == zaslavsky(13, 2)
    assert bounds["paper"] == pytest.approx((math.e * 8 / 2) ** 2 * (math.e * 5 / 2) ** 2)
    # Serra: Σ C(8, j) C(5, j') with j ≤ 2, j' ≤ min(2, 8 - j)
    assert bounds["serra"] == (1 + 8 + 28) * (1 + 5 + 10)
    assert region_bounds(Shape(3, 9, 20), np.int64(2)) == region_bounds(Shape(3, 9, 20), 2)
    sizes = np.array([2, 40, 100])
    assert region_bounds(Shape(*sizes)) == region_bounds(Shape(2, 40, 100))
