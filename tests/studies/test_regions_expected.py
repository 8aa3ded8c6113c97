"""What random networks have on average: formulas against published numbers and counts."""

import json
import math

import numpy as np
import pytest
import scipy.special
from command_line import fracsim

from fracsim.fractals.fractal import load_fractal
from fracsim.studies import STUDIES, open_study
from fracsim.studies.regions.expected import (
    _ellipe,
    _mean_norm,
    density,
    distances,
    plane_regions,
    switches_by_layer,
)
from fracsim.studies.regions.levels import across_borders

ONE = STUDIES["regions"]
SQUARE = (-1.0, 1.0, -1.0, 1.0)


@pytest.mark.parametrize(
    ("widths", "bias_std", "start", "end", "wanted"),
    [
        ([20] * 4, 0.5, [-1.0], [1.0], [15.67, 14.10, 13.00, 12.16]),
        ([100] * 4, 0.5, [-1.0], [1.0], [78.37, 70.48, 65.02, 60.82]),
        ([100] * 4, 0.1, [0.5, -1.0], [0.5, 1.0], [69.98, 69.49, 69.02, 68.55]),
        ([50] * 3, 0.3, [0.5, -2.0, 0.0], [0.5, 2.0, 0.0], [40.42, 38.98, 37.76]),
    ],
)
def test_switches_of_the_table(widths, bias_std, start, end, wanted):
    found = switches_by_layer(widths, bias_std, np.array(start), np.array(end))
    np.testing.assert_allclose(found, wanted, atol=0.006)
    # half of a symmetric segment has half of them
    middle = (np.array(start) + np.array(end)) / 2
    np.testing.assert_allclose(
        switches_by_layer(widths, bias_std, middle, np.array(end)), found / 2, rtol=1e-12
    )


def test_one_switch_per_unit_on_a_whole_line():
    far = switches_by_layer([7, 9], 0.5, np.array([0.3, -1e7]), np.array([0.3, 1e7]))
    np.testing.assert_allclose(far, [7, 9], rtol=1e-6)


@pytest.mark.parametrize(
    ("d", "width", "depth", "wanted"),
    [
        (1, 100, 5, 0.00561),
        (2, 20, 2, 0.0262),
        (2, 20, 5, 0.0108),
        (2, 100, 5, 0.00216),
        (3, 100, 5, 0.00164),
        (10, 20, 2, 0.0111),
        (10, 100, 5, 0.00106),
    ],
)
def test_distances_of_the_table(d, width, depth, wanted):
    surface = density([width] * depth, 0.3, d, np.array([0.7]))
    assert distances(surface)[0] == pytest.approx(wanted, rel=0.006)


def test_mean_norms_and_the_elliptic_integral():
    beta = np.array([0.01, 0.4, 1.0])
    np.testing.assert_allclose(_mean_norm(1, 2.0, beta), np.sqrt(4 * beta / math.pi), rtol=1e-9)
    wanted = math.sqrt(2 / math.pi) * scipy.special.ellipe(1 - beta)
    np.testing.assert_allclose(_mean_norm(2, 1.0, beta), wanted, rtol=1e-9)
    m = np.array([0.0, 0.3, 0.9, 0.999])
    np.testing.assert_allclose(_ellipe(m), scipy.special.ellipe(m), rtol=1e-13)


@pytest.mark.parametrize(
    ("width", "depth", "wanted"),
    [(32, 3, 4090.5), (64, 3, 16252.4), (96, 1, 4247.9), (16, 6, 3919)],
)
def test_plane_counts_of_the_table(width, depth, wanted):
    assert plane_regions([width] * depth, 0.1, SQUARE) == pytest.approx(wanted, rel=2e-5)


def test_a_huge_window_has_every_crossing_once():
    found = plane_regions([10], 0.1, (-1e5, 1e5, -1e5, 1e5))
    assert found == pytest.approx(1 + 10 + 45, rel=1e-3)


def test_one_layer_in_the_plane_has_what_is_expected():
    result = ONE.run(random=True, depth=1, width=24, bias_std=0.1, draws=60, points=60)
    found = result.summary()
    off = found["activation_regions"] - found["expected"]["regions"]
    assert abs(off) < 3 * found["standard_error"]


def test_switches_by_layer_have_what_is_expected():
    result = ONE.run(
        random=True,
        inputs=3,
        depth=3,
        width=50,
        bias_std=0.3,
        segment=(0.5, -2.0, 0.0, 0.5, 2.0, 0.0),
        draws=200,
    )
    found = result.summary()
    mean, error = (np.array(found[key]) for key in ("switches_by_layer", "switches_standard_error"))
    wanted = np.array(found["expected"]["switches_by_layer"])
    room = 3 * error + wanted * 0.4 * np.array([0, 2, 3]) / 50
    assert (np.abs(mean - wanted) < room).all()
    assert found["activation_regions"] == pytest.approx(1 + mean.sum(), rel=0.01)


@pytest.mark.slow
def test_the_plane_of_the_issue():
    result = fracsim(
        *[
            "regions",
            "--random",
            "--inputs",
            "2",
            "--depth",
            "3",
            "--width",
            "32",
            "--init",
            "he",
            "--bias-std",
            "0.1",
        ],
        *["--window", "-1,1,-1,1", "--draws", "24", "--json"],
    )
    found = json.loads(result.out)
    off = found["activation_regions"] - found["expected"]["regions"]
    assert abs(off) < 3 * found["standard_error"]
    assert found["expected"]["regions"] == pytest.approx(4090.5, abs=0.1)


def test_files_of_draws_run_again_and_are_drawn(tmp_path):
    path = tmp_path / "d.h5"
    options = "regions --random --depth 2 --width 8 --bias-std 0.1 --draws 5 --points 10 --json"
    result = fracsim(*options.split(), "-o", path)
    assert (result.code, result.err) == (0, "")
    study = open_study(path, "regions")
    assert study.form == "draws"
    again = json.loads(fracsim("regions", "--from", path, "--json").out)
    assert again["activation_regions"] == json.loads(result.out)["activation_regions"]


def test_segments_lead_across_the_borders_of_cells():
    fractal = load_fractal("cantor")
    starts, stops = across_borders(fractal, 2, 500, 0)
    middle = (starts + stops) / 2
    inside = starts + 0.999 * (middle - starts)
    beyond = starts + 1.001 * (middle - starts)
    assert (fractal.level(inside, 2) == 2).all()
    assert (fractal.level(beyond, 2) < 2).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--draws", 5], "no --bias-std: with biases of 0 all boundaries of layer 1 meet"),
        (["--draws", 5, "--bias-std", 0], "--bias-std 0: with biases of 0 all boundaries"),
        (["--draws", 5, "--bias-std", 0.1, "--inputs", 4], "box of 2 or 3 dimensions"),
        (["--along", "cells"], "takes a FILE trained on a fractal"),
    ],
)
def test_wrong_input_is_told_in_one_sentence(options, said):
    result = fracsim("regions", "--random", *options)
    assert result.code == 2, result.err
    assert said in result.err
    assert result.err.count("\n") == 1
