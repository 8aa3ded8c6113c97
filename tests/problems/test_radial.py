"""Radial functions: the points of the counter, their labels in the run's precision, profiles as
they are written, and depth that helps."""

import math

import numpy as np
import pytest
from command_line import fracsim
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_problems import ball_point, radial_label
from scipy import stats

from fracsim.data.reader import open_trajectory
from fracsim.errors import UsageError
from fracsim.experiments.experiment import load_experiment
from fracsim.kernels.points import radial as kernel
from fracsim.kernels.random.philox import TEST, TRAIN
from fracsim.problems import radial
from fracsim.problems.radial import parse_profile
from fracsim.sweeps.sweep import run_sweep
from fracsim.training.run import make_run, problem_of


def problem(precision="float64", **keys):
    return problem_of(make_run({"problem": "radial", "precision": precision, **keys}))


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 8, 17])
def test_points_are_those_of_the_reference(d):
    found = problem(dimension=d, profile="osc:6pi")
    x, y, group = found.points(2**40 + 3, TRAIN, 2**33, 20)
    for i in range(20):
        wanted = ball_point(d, 2**40 + 3, TRAIN, 2**33 + i)
        np.testing.assert_allclose(x[i], wanted, rtol=1e-12, atol=1e-15)
        assert y[i] == pytest.approx(radial_label("osc", 6 * math.pi, x[i]), rel=1e-12, abs=1e-15)
    assert (found.inputs, found.target, found.groups, group.any()) == (d, "real", 1, False)


@given(st.integers(0, 10**18), st.integers(0, 2**50), st.integers(1, 40), st.integers(1, 40))
@settings(deadline=None, max_examples=30)
def test_a_point_depends_on_its_number_alone(seed, first, count, cut):
    found = problem(precision="float32", dimension=5)
    whole = found.points(seed, TEST, first, count)
    cut = min(cut, count)
    parts = [
        found.points(seed, TEST, first, cut),
        found.points(seed, TEST, first + cut, count - cut),
    ]
    for name in ("x", "y", "group"):
        np.testing.assert_array_equal(
            getattr(whole, name), np.concatenate([getattr(part, name) for part in parts])
        )


def test_streams_do_not_meet():
    found = problem(dimension=4)
    draws = [found.points(seed, purpose, 0, 5)[0] for seed in (0, 1) for purpose in (TRAIN, TEST)]
    assert len(np.unique(np.concatenate(draws)[:, 0])) == 20


@pytest.mark.parametrize("d", [1, 2, 7])
def test_radius_and_direction_are_uniform(d):
    x, _, _ = problem(dimension=d).points(1, TRAIN, 0, 20_000)
    radius = np.linalg.norm(x, axis=1)
    assert stats.kstest(radius, "uniform").pvalue > 1e-4
    direction = x / radius[:, None]
    assert np.abs(direction.mean(axis=0)).max() < 4.5 / math.sqrt(20_000)
    assert np.abs(direction.T @ direction / 20_000 - np.eye(d) / d).max() < 0.02
    assert abs(np.corrcoef(radius, direction[:, 0])[0, 1]) < 4.5 / math.sqrt(20_000)


@pytest.mark.parametrize("profile", ["hat", "cone", "osc:2000"])
def test_the_label_is_that_of_the_point_as_it_is_stored(profile):
    """At ω = 2000 the point in float64 has another label than the one in float32."""
    x, y, _ = problem("float32", profile=profile, dimension=3).points(0, TRAIN, 0, 500)
    assert x.dtype == y.dtype == np.float32
    name, omega = parse_profile(profile)
    wanted = np.array([radial_label(name, omega, point) for point in x])
    np.testing.assert_allclose(y, wanted.astype(np.float32), rtol=3e-7, atol=1e-10)


def test_labels_by_hand():
    x = np.array([[0.5, 0.0], [0.0, 0.1], [0.6, 0.8], [0.0, -0.7]])
    y = np.empty(4)
    for profile, wanted in (
        ("hat", [0.25, 0, 0, 0.05]),
        ("cone", [0.5, 0.9, 0, 0.3]),
        ("osc:pi", [math.sin(math.pi * r * r) / (2 * math.pi) for r in (0.5, 0.1, 1, 0.7)]),
    ):
        name, omega = parse_profile(profile)
        kernel.fill_profile(kernel.PROFILES.index(name), omega, x, y)
        np.testing.assert_allclose(y, wanted, atol=1e-15)


def test_names_of_profiles_are_the_kernels():
    assert radial._NAMES == kernel.PROFILES


@pytest.mark.parametrize(
    ("text", "omega"),
    [("osc:6pi", 6 * math.pi), ("osc:pi", math.pi), ("osc:2.5", 2.5), (" OSC:1e3 ", 1000.0),
     ("osc:.5π", math.pi / 2)],
)  # fmt: skip
def test_omega_is_read(text, omega):
    assert parse_profile(text) == ("osc", omega)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("hut", r"profile \(--profile\) is 'hut'; accepted is hat, cone or"),
        ("osc", "accepted is osc: and a number above 0"),
        ("osc:", "accepted is osc: and a number above 0"),
        ("osc:six", "accepted is osc: and a number above 0"),
        ("osc:-1", "accepted is osc: and a number above 0"),
        ("osc:0", "accepted is an ω above 0"),
        ("osc:1e9", "accepted is an ω above 0 and at most 1,000,000"),
        ("osc:1e99", "accepted is an ω above 0"),
        ("hat:3", "accepted is hat without a number"),
    ],
)
def test_other_profiles_are_refused(text, match, tmp_path):
    with pytest.raises(UsageError, match=match):
        parse_profile(text)
    result = fracsim(
        "train", "--problem", "radial", "--profile", text, "--loss", "squared",
        "-o", tmp_path / "a.h5",
    )  # fmt: skip
    assert result.code == 2
    assert "--profile" in result.sentence


def relative_errors(experiment, path):
    """(seeds, shapes) of a sweep whose last axis is the seed."""
    run_sweep(experiment, path)
    r2 = np.nanmax(open_trajectory(path).variable("test_r2"), axis=1)
    return np.sqrt(1 - r2).reshape(-1, len({run.seed for run in experiment.runs})).T


@pytest.mark.compiled
def test_depth_helps_at_equal_size(tmp_path):
    """120 units in d = 8: one hidden layer is far worse than two (Safran, Eldan and Shamir's
    separation, as trained), after a third of the steps already."""
    experiment = load_experiment("radial-depth", quick=True)
    shapes = [(run.network_depth, run.width) for run in experiment.runs if run.seed == 0]
    assert shapes == [(1, 120), (2, 60), (3, 40), (4, 30)]
    short = {"steps": 6000, "record_every": 2000}
    errors = relative_errors(experiment.changed(short), tmp_path / "r.h5")
    assert errors.shape == (3, 4)
    assert (errors[:, 0] > 3 * errors[:, 1:].max(axis=1)).all()


@pytest.mark.slow
def test_depth_helps_four_times_in_every_seed(tmp_path):
    errors = relative_errors(load_experiment("radial-depth", quick=True), tmp_path / "r.h5")
    assert (errors[:, 0] > 4 * errors[:, 1]).all()
    assert ((errors[:, 0] > 0.5) & (errors[:, 0] < 0.7)).all()
    assert (errors[:, 1] > errors[:, 2:].max(axis=1)).all()
