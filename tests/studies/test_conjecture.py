"""The conjecture as a scatter: exact abscissae, the best of rates and seeds, the corner."""

import dataclasses
import json
import math

import figure_files
import numpy as np
import pytest
from command_line import fracsim, run_group
from matplotlib.legend import Legend

from fracsim.cli.plot import command as plot
from fracsim.data.studies import StudyContents
from fracsim.experiments.experiment import load_experiment
from fracsim.products.runs import load_runs
from fracsim.studies import STUDIES
from fracsim.studies.conjecture.compute import Scatter, _impossible, compute
from fracsim.studies.conjecture.declaration import Settings
from fracsim.studies.conjecture.figure import _SCALE, draw, fineness
from fracsim.studies.conjecture.points import kendall_tau, nearest_on_line, points_of
from fracsim.studies.kernel_learning.machine import nearest
from fracsim.sweeps.sweep import run_sweep

STUDY = STUDIES["conjecture"]

EXACT = {
    ".5,.95,.97,.98,.985,.99,.995,.998,1": (0.0119, 0.0250, 0.005),
    "1": (0.1704, 0.3060, 0.095),
    "finest:7": (0.1948, 0.3417, 0.110),
    "finest:6": (0.2233, 0.3787, 0.130),
    "finest:5": (0.2548, 0.4110, 0.160),
    "finest:4": (0.3033, 0.4453, 0.207),
    "finest:3": (0.3356, 0.4645, 0.294),
    "finest:2": (0.3833, 0.4748, 0.5),
    "6": (0.4004, 0.4785, 0.5),
    "5": (0.4059, 0.4786, 0.455),
    "4": (0.4250, 0.4779, 0.372),
}
"""Of cantor1d, n = 8: least errors with 51 and 11 sign changes, and Theorem 3's at T = 5, k = 50,
as another program has computed them."""


def made_up(path, name, **overrides):
    experiment = load_experiment(name, quick=True, overrides=overrides)
    return figure_files.write_file(path, experiment)


def test_the_quick_experiment_has_the_exact_columns(tmp_path):
    path = made_up(tmp_path / "runs.h5", "conjecture1d")
    told = json.loads(fracsim("conjecture", path, "--neighbour-points", 0, "--json").out)
    rows = {row["curve"]: row for row in told["points"] if row["network_depth"] == 5}
    assert len(rows) == 12
    for curve, (x, other, built) in EXACT.items():
        row = rows[curve]
        assert round(row["shallow_errors"][0], 4) == x == round(row["shallow_error"], 4)
        assert round(row["shallow_errors"][1], 4) == other
        assert row["constructed"] == pytest.approx(built, abs=5.1e-4)
        assert row["nearest_neighbour"] is None
        assert row["own_least"] == 0  # 51^5 sign changes are enough
        assert row["gain"] == row["shallow_error"] - row["deep_error"]
    corner = {row["sign_changes"]: row["points"] for row in told["corner"]["by_sign_changes"]}
    assert corner == {51: 0, 11: 5, 3: 8}  # at 51 it is empty by design


def test_the_best_of_rates_and_seeds(tmp_path):
    changes = {"learning_rate": [0.001, 0.004], "seed": [0, 1, 2], "curve": "1"}
    changes |= {"fractal_depth": 4}
    path = made_up(tmp_path / "runs.h5", "conjecture1d", **changes)
    runs = load_runs([path])
    (three, five) = points_of(runs, (51,), 0)
    assert (three.network_depth, five.network_depth) == (3, 5)
    for one in (three, five):
        mine = [e for e in runs.entries if e.settings["network_depth"] == one.network_depth]
        assert one.deep_error == 1 - max(entry.best() for entry in mine)
        at_rate = [e.best() for e in mine if e.settings["learning_rate"] == one.learning_rate]
        assert (one.rates, one.seeds) == (2, 3) == (2, len(at_rate))
        assert one.deep_mean == pytest.approx(1 - np.mean(at_rate))
        assert one.deep_error <= one.deep_mean <= one.deep_worst == 1 - min(at_rate)
        shallow = [e.best() for e in runs.entries if e.settings["network_depth"] == 1]
        assert one.shallow_trained == 1 - max(shallow)


def test_in_the_plane_shallow_errors_are_upper_bounds(tmp_path):
    path = made_up(tmp_path / "runs.h5", "conjecture2d")
    result = compute(Settings(str(path), neighbour_points=0))
    arrays = result.arrays()
    assert arrays["sign_changes"].tolist() == [0]
    assert arrays["upper"].all()
    np.testing.assert_array_equal(arrays["shallow_error"][:, 0], arrays["shallow_trained"])
    assert np.isnan(arrays["own_least"]).all()
    output, figure = tmp_path / "c.h5", tmp_path / "c.png"
    assert fracsim("conjecture", path, "--neighbour-points", 0, "-o", output, "-q").code == 0
    assert run_group(plot, "fracsim-plot", "conjecture", output, "-o", figure).code == 0


def test_kendall_tau_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    for count in (5, 12):
        x, y = random.integers(0, 5, (2, count)) / 10
        assert kendall_tau(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)
    assert math.isnan(kendall_tau(np.ones(3), np.arange(3)))


def test_nearest_neighbours_on_a_line():
    random = np.random.default_rng(1)
    x, at = random.uniform(-1, 1, (40, 1)), random.uniform(-1.2, 1.2, (300, 1))
    y = np.sign(random.normal(size=40))
    np.testing.assert_array_equal(nearest_on_line(x, y, at), nearest(x, y, at))
    assert nearest_on_line(x[:1], y[:1], at).tolist() == [y[0]] * 300


def test_fine_curves_are_finer():
    assert [round(fineness(curve, 8), 3) for curve in ("finest:1", ".5,1,1,1,1,1,1,1,1")] == [1, 0]
    assert fineness("1", 8) < fineness("finest:6", 8) < fineness("6", 8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Small networks on coarse and fine negatives, one and two layers."""
    path = tmp_path_factory.mktemp("conjecture") / "runs.h5"
    overrides = {
        "fractal_depth": 3, "curve": ["1", "finest:1"], "network_depth": [1, 2], "width": 4,
        "steps": 3000, "record_every": 1000, "train_points": 5000, "test_points": 2000,
        "learning_rate": [0.005, 0.02], "seed": [0, 1],
    }  # fmt: skip
    run_sweep(load_experiment("conjecture1d", quick=True, overrides=overrides), path, threads=1)
    return path


@pytest.mark.compiled
def test_no_network_does_better_than_is_possible(trained, tmp_path):
    output, figure = tmp_path / "c.h5", tmp_path / "c.png"
    words = ["conjecture", trained, "--sign-changes", "5,2", "-o", output]
    told = json.loads(fracsim(*words, "--json").out)
    assert told["notes"] == []
    assert len(told["points"]) == 2
    for row in told["points"]:
        noise = math.sqrt(0.25 / 2000)
        assert row["deep_error"] >= row["own_least"] - 4 * noise
        assert row["shallow_trained"] >= row["shallow_error"] - 4 * noise  # k + 1 = 5
        assert 0 <= row["nearest_neighbour"] < 0.05
    assert run_group(plot, "fracsim-plot", "conjecture", output, "-o", figure).code == 0
    assert figure.stat().st_size > 10_000
    out = fracsim("conjecture", trained).out
    assert "Kendall's tau" in out


@pytest.mark.compiled
def test_an_impossible_error_is_told(trained):
    (one, _) = points_of(load_runs([trained]), (5,), 0)
    assert _impossible([dataclasses.replace(one, own_least=0.3, deep_error=0.29)]) == []
    (said,) = _impossible([dataclasses.replace(one, own_least=0.3, deep_error=0.2)])
    assert "is below 0.3000, the least that is possible" in said
    (said,) = _impossible(
        [dataclasses.replace(one, shallow_own_least=0.4, shallow_trained=0.3)] * 2
    )
    assert said.startswith("T = 1, curve")
    scatter = Scatter([one], (5,), (said,))
    assert math.isnan(scatter.arrays()["kendall_tau"][0])


def test_more_curves_than_the_legend_can_name_are_a_scale(tmp_path):
    path = made_up(
        tmp_path / "runs.h5", "conjecture1d", fractal_depth=[3, 4, 5], curve=list("123456")
    )
    result = compute(Settings(str(path), neighbour_points=0))
    figure = draw(StudyContents("conjecture", result.arrays(), {}))
    names = [text.get_text() for legend in figure.findobj(Legend) for text in legend.get_texts()]
    assert names[:3] == [f"cantor1d, n = {n}" for n in (3, 4, 5)]
    assert names[3:] == list(_SCALE)


def test_wrong_input_is_one_sentence(tmp_path):
    shallow = made_up(tmp_path / "a.h5", "conjecture1d", network_depth=1, curve="1")
    plane = tmp_path / "b.h5"
    figure_files.write_file(
        plane, figure_files.experiment_of({"curve": ["1", "6"]}, network_depth=5, width=10)
    )
    for given, says in (
        ([shallow], "no run tells a fractal by two or more hidden layers"),
        ([plane], "no distribution has both a run of one hidden layer and one of several"),
        ([plane, "--sign-changes", 0], "sign_changes (--sign-changes) is '0'"),
        ([], "RUNS is missing"),
        (["missing.h5"], "missing.h5"),
    ):
        done = fracsim("conjecture", *given, "--json")
        assert done.code in (1, 2)
        assert says in done.sentence
