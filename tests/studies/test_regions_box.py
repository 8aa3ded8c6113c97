"""Regions in a box of three dimensions, and boundaries by their distance to the cells."""

import json
import math

import numpy as np
import pytest
import reference
import reference_regions as exact
from command_line import fracsim
from networks_of_regions import random_network

from fracsim.fractals.fractal import load_fractal
from fracsim.kernels.network.shape import Shape
from fracsim.studies import open_study
from fracsim.studies.regions.box import box_regions
from fracsim.studies.regions.nearness import (
    border_distances,
    cell_side,
    crofton,
    short_segments,
)
from fracsim.studies.regions.regions import count_on_segment, partition

CUBE = (-1, 1) * 3


def bits(pattern):
    """The units that are active, as the first word of a pattern."""
    return sum(1 << unit for unit, on in enumerate(pattern) if on)


@pytest.mark.parametrize(("depth", "width", "seed"), [(1, 5, 0), (2, (2, 3), 1), (3, (2, 1, 2), 2)])
def test_a_box_as_in_exact_arithmetic(depth, width, seed):
    shape, params = random_network(3, depth, width, seed)
    box = (-1.5, 1, -0.5, 2, -1, 1.25)
    found = box_regions(shape, params, box)
    truth = {bits(pattern): f for pattern, f in exact.box_regions(shape, params, box)}
    assert {*found.patterns[:, 0].tolist()} == {*truth}
    assert found.activation_regions == len(truth)
    for pattern, gradient, offset in zip(
        found.patterns[:, 0].tolist(), found.gradient, found.offset, strict=True
    ):
        wanted = [float(value) for value in truth[pattern]]
        np.testing.assert_allclose([*gradient, offset], wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("depth", "width", "seed"), [(1, 8, 0), (2, 10, 1), (3, 32, 2), (4, (5, 20, 3, 30), 3)]
)
def test_in_two_dimensions_as_the_mesh_of_polygons(depth, width, seed):
    """Another algorithm for the same: counts, pieces, areas and functions agree."""
    shape, params = random_network(2, depth, width, seed)
    mesh = partition(shape, params, (-1, 1, -1, 2))
    cells = box_regions(shape, params, (-1, 1, -1, 2))
    assert cells.activation_regions == mesh.activation_regions
    assert cells.linear_pieces == mesh.linear_pieces
    np.testing.assert_allclose(np.sort(cells.volume), np.sort(mesh.area), atol=1e-12)
    order, other = np.argsort(cells.volume), np.argsort(mesh.area)
    large = mesh.area[other] > 1e-6
    np.testing.assert_allclose(cells.gradient[order][large], mesh.gradient[other][large], atol=1e-9)


def test_planes_in_general_position_are_as_many_as_zaslavsky_says():
    shape, params = random_network(3, 1, 12, 0)
    found = box_regions(shape, params, (-1e4, 1e4) * 3)
    assert found.activation_regions == sum(math.comb(12, j) for j in range(4))


@pytest.mark.parametrize(("depth", "width", "seed"), [(1, 60, 0), (3, 20, 1), (6, 10, 2)])
def test_regions_fill_the_box_and_lie_where_points_are(depth, width, seed):
    """Volumes add up to the box, each pattern is there once; what segments and points meet is among
    them. N = 60."""
    shape, params = random_network(3, depth, width, seed)
    found = box_regions(shape, params, CUBE)
    known = {row[0] for row in found.patterns.tolist()}
    assert len(known) == found.activation_regions
    assert found.volume.sum() == pytest.approx(8, rel=1e-12)
    assert (found.volume > 0).all()
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (2000, 3))
    values, patterns = points, []
    for weights, biases in reference.layers(shape, params.astype(float))[:-1]:
        values = np.maximum(values @ weights + biases, 0)
        patterns.append(values > 0)
    met = {bits(row) for row in np.concatenate(patterns, axis=1)}
    assert met <= known
    line = count_on_segment(shape, params, points[0], points[1])
    assert line.activation_regions <= found.activation_regions


def test_regions_with_one_function_are_one_piece():
    """Two parallel planes make three regions, joined where f does not see the plane between them;
    more than 64 units, most of them dead, change nothing."""
    for spare in (0, 100):
        shape = Shape(3, (2 + spare,))
        weights, biases = np.zeros((3, 2 + spare)), np.full(2 + spare, -1.0)
        weights[0, :2], biases[:2] = 1, (0, -0.5)
        for first, second, pieces in ((1, 1, 3), (1, 0, 2), (0, 0, 1)):
            readout = np.zeros(2 + spare)
            readout[:2] = first, second
            params = np.concatenate([weights.ravel(), biases, readout, [0.0]])
            found = box_regions(shape, params, CUBE)
            assert (found.activation_regions, found.linear_pieces) == (3, pieces)
            np.testing.assert_allclose(np.sort(found.volume), [2, 2, 4])


def test_the_command_counts_in_a_box(tmp_path):
    path = tmp_path / "box.h5"
    words = ["--random", "--inputs", 3, "--depth", 2, "--width", 6, "--bias-std", 0.5]
    done = fracsim("regions", *words, "--points", 20, "--json", "-o", path)
    assert done.code == 0, done.err
    facts, file = json.loads(done.out), open_study(path, "regions")
    assert (facts["measure"], file.form) == ("box", "box")
    assert facts["average_case"]["regions"] == 12**3 / 6
    assert facts["activation_regions"] == len(file.arrays["volume"])
    assert facts["activation_regions"] <= facts["bounds"]["serra"]
    assert "in the box" in fracsim("regions", *words, "--points", 20).out
    many = fracsim("regions", *words, "--draws", 4, "--points", 20, "--json")
    assert json.loads(many.out)["activation_regions"] > 12


def test_more_regions_than_memory(monkeypatch):
    monkeypatch.setattr("fracsim.studies.regions.box.most_regions", lambda bytes_each: 10)
    done = fracsim("regions", "--random", "--inputs", 3, "--bias-std", 0.5, "--width", 10)
    assert (done.code, "more than 10 regions in the box" in done.sentence) == (1, True)


@pytest.mark.parametrize(("name", "level"), [("cantor1d", 2), ("cantor", 2), ("sierpinski", 1)])
def test_distances_to_borders_of_cells(name, level):
    """Against a dense walk around each cell."""
    fractal = load_fractal(name)
    low, d = fractal.low, fractal.dimension
    points = np.random.default_rng(0).uniform(low, 1, (50, d))
    matrices, offsets = fractal.cells(level)
    if d == 1:
        border = np.array([[low], [1.0]])
    else:
        t = np.linspace(low, 1, 4001)
        ends = [(t, np.full_like(t, e)) for e in (low, 1.0)]
        border = np.concatenate([np.stack(s, 1) for x, e in ends for s in ((x, e), (e, x))])
    places = (np.einsum("cpq,vq->cvp", matrices, border) + offsets[:, None]).reshape(-1, d)
    walked = np.sqrt(((points[:, None] - places) ** 2).sum(2).min(1))
    found = border_distances(fractal, level, points)
    np.testing.assert_allclose(np.abs(found), walked, atol=2e-4)
    np.testing.assert_array_equal(found < 0, fractal.level(points, level) >= level)
    assert cell_side(fractal, 0) == pytest.approx(1 - low)


def test_the_density_is_that_of_lines_that_are_known():
    """Ten lines across the square, each of length 2, in an area of 4: 5 per unit, from isotropic
    short segments, by Crofton's formula."""
    shape = Shape(2, (10,))
    places = np.linspace(-0.9, 0.9, 10)
    weights = np.zeros((2, 10))
    weights[0] = 1
    params = np.concatenate([weights.ravel(), -places, np.ones(10), [0.0]])
    from fracsim.studies.regions.regions import count_on_segments

    _, starts, stops = short_segments((-1, 1) * 2, 0.05, 40_000, 0)
    met = count_on_segments(shape, params, starts, stops)[:, 0] - 1
    assert crofton(2) / 0.05 * met.mean() == pytest.approx(5, rel=0.05)
    assert [crofton(d) for d in (1, 2, 3)] == pytest.approx([1, math.pi / 2, 2])
