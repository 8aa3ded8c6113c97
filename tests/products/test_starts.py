"""When a training starts, and what of the network decides it."""

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from figure_files import experiment_of, write_file
from made_up_runs import made_up_trajectory

from fracsim.cli.plot import command as plot
from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.figures.xy import Request, draw_runs
from fracsim.products.entries import entries_of
from fracsim.products.runs import Runs, load_runs

LOSSES = [[1.0, 0.95, 0.89, 0.95], [1.0, 0.9, 0.9, 0.9], [0.5, 0.4, 0.3, np.nan]]
LEVELS = [
    [[0.5, np.nan, 0.2], [0.8, np.nan, 0.75], [0.7, np.nan, 0.76], [0.9, np.nan, 0.1]],
    [[0.5, np.nan, 0.2]] * 4,
    [[0.9, np.nan, 0.9]] * 3 + [[np.nan] * 3],
]


def runs(**settings) -> Runs:
    variables = {"test_loss": LOSSES, "test_accuracy_by_level": LEVELS}
    accuracy = np.nan_to_num(np.array(LOSSES), nan=0.5)
    known = {"test_accuracy": np.where(np.isnan(LOSSES), np.nan, accuracy), **variables}
    return Runs(entries_of(made_up_trajectory(known, [0, 10, 20, 30], seed=[0, 1, 2], **settings)))


def test_a_run_starts_at_the_first_record_below_the_plateau():
    """Strictly below 0.9 of the hinge loss, a quarter of a level's points wrong: recounted here."""
    made = runs()
    assert made.values("start_step").tolist() == [20.0, math.inf, 0.0]
    by_level = made.values("start_step_by_level")
    np.testing.assert_array_equal(
        by_level, [[10, np.nan, 20], [math.inf, np.nan, math.inf], [0, np.nan, 0]]
    )
    np.testing.assert_array_equal(made.values("start_step_by_level[-1]"), [20, math.inf, 0])
    (point,) = made.points(value="start_step")
    assert (point.mean, point.least) == (math.inf, 0.0)
    assert made.selected("start_step").startswith("start step: the first record with a hinge loss")
    with pytest.raises(UsageError, match="start_step is one number for each run"):
        made.values("start_step[0]")


def test_of_another_loss_there_is_no_plateau_at_one():
    assert np.isnan(runs(loss=["logistic"] * 3).values("start_step")).all()


def test_what_the_network_says_before_it_is_trained():
    made = runs(
        network_depth=[5, 3, 2],
        width=[10, 20, 8],
        widths=["equal", "10-20-8", "equal"],
        initialisation=["he", "paper", "glorot"],
        weight_std=[1.0, np.nan, np.nan],
    )
    np.testing.assert_allclose(made.values("inverse_widths"), [0.5, 0.275, 0.25])
    np.testing.assert_allclose(made.values("kappa"), [0.5, 0.386871, np.nan])
    assert {"start_step", "start_step_by_level", "inverse_widths", "kappa"} <= {*made.variables}
    assert np.isnan(runs().values("kappa")).all()


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    grid = {"network_depth": [1, 2, 5], "weight_std": [0.5, 1.0, 2.0], "seed": [0, 1]}
    path = tmp_path_factory.mktemp("starts") / "starts.h5"
    return write_file(path, experiment_of(grid, initialisation="he", steps=4000, record_every=500))


def test_steps_to_the_start_against_widths_in_colours_of_kappa(sweep):
    """Depth, width and σ_w are what Σ 1/n and κ follow from: they get no looks of their own; runs
    that have not started are hollow above the line."""
    found = load_runs(sweep)
    with style.styled():
        figure = draw_runs(found, Request(x="inverse_widths", y="start_step", hue="kappa"))
    (axes,) = figure.axes
    by_kappa = {
        at: {x: list(group) for x, group in one.group(["network_depth"]).items()}
        for at, one in found.group(["weight_std"]).items()
    }
    lines = [dict(zip(*line.get_data(), strict=True)) for line in axes.lines]
    reached = 0
    for parts in by_kappa.values():
        for entries in parts.values():
            starts = Runs(entries).values("start_step")
            x = Runs(entries).values("inverse_widths")[0]
            if np.isfinite(starts).any():
                mean = starts[np.isfinite(starts)].mean()
                assert any(line.get(x) == pytest.approx(mean) for line in lines)
                reached += 1
    assert reached
    texts = " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))
    assert "κ" in texts
    assert "Σ 1/n" in texts
    assert "hinge loss below 0.9" in texts.replace("\n", " ")


def test_runs_that_never_start_stand_above_the_line():
    made = runs(network_depth=[1, 2, 3], width=[4] * 3, widths=["equal"] * 3)
    for entry, seed in zip(made.entries, (0, 0, 0), strict=True):
        entry.settings["seed"] = seed  # three networks, of which the second never starts
    with style.styled():
        figure = draw_runs(made, Request(x="inverse_widths", y="start_step"))
    (axes,) = figure.axes
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    (above,) = hollow
    assert above.get_xdata().tolist() == [0.5]
    assert above.get_transform() == axes.get_xaxis_transform()
    line = next(one.get_ydata()[0] for one in axes.lines if one.get_linestyle() == ":")
    assert line >= 20  # every start that was reached lies below it
    assert axes.get_ylim()[1] > line


def test_commands_draw_them(sweep, tmp_path):
    for words in (
        ["--x", "inverse_widths", "--y", "start_step", "--hue", "kappa"],
        ["--x", "level", "--y", "start_step_by_level", "--hue", "kappa"],
        ["--x", "kappa", "--y", "start_step_by_level[-1]"],
    ):
        output = str(tmp_path / "x.png")
        drawn = CliRunner().invoke(plot, ["xy", str(sweep), *words, "-o", output, "--json"])
        assert drawn.exit_code == 0, drawn.output
        json.loads(drawn.stdout)
    refused = CliRunner().invoke(plot, ["xy", str(sweep), "--y", "start_stp", "-o", "x.png"])
    assert refused.exit_code == 2
    assert "start_step" in refused.stderr
