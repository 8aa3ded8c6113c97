"""The figure ``levels``: when a level is learnt, as recounted from the records."""

import numpy as np
import pytest
from figure_files import experiment_of, made_up_record, write_file

from fracsim.figures import levels, style
from fracsim.products.runs import load_runs

SMALL = {"steps": 4000, "record_every": 1000}


@pytest.fixture(autouse=True)
def fracsim_style():
    with style.styled():
        yield


def recounted(run, share: float) -> list[float]:
    """The step from which on each level stays right, the slow way."""
    steps = list(run.recorded_steps())
    tables = [made_up_record(run, step).quality["test_accuracy_by_level"] for step in steps]
    found = []
    for level in range(run.fractal_depth + 1):
        at = np.inf
        for step, table in zip(reversed(steps), reversed(tables), strict=True):
            if table[level] < share:
                break
            at = step
        found.append(at)
    return found


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_the_step_from_which_on_a_level_is_right(tmp_path, share):
    experiment = experiment_of({"network_depth": [1, 5], "width": [10, 50]}, **SMALL)
    runs = load_runs([write_file(tmp_path / "a.h5", experiment)])
    for entry, run in zip(runs.entries, experiment.runs, strict=True):
        assert levels.learnt_at(entry, share).tolist() == recounted(run, share)


def test_one_setting_shows_steps_and_accuracies(tmp_path):
    experiment = experiment_of({"seed": [0, 1, 2]}, network_depth=3, **SMALL)
    figure = levels.draw(load_runs([write_file(tmp_path / "a.h5", experiment)]))
    steps, accuracy = figure.axes
    reached = next(line for line in steps.lines if line.get_linestyle() != "None")
    table = np.sort([recounted(run, 0.9) for run in experiment.runs], axis=0)[1]
    there = np.isfinite(table)
    drawn = np.asarray(reached.get_ydata(), float)
    np.testing.assert_array_equal(np.isfinite(drawn), there)
    np.testing.assert_array_equal(drawn[there], table[there])
    hollow = next(line for line in steps.lines if line.get_markerfacecolor() == "none")
    assert list(np.round(hollow.get_xdata())) == list(np.flatnonzero(~there))
    assert len([line for line in accuracy.lines if len(line.get_xdata()) > 2]) == 6


def test_a_sweep_has_a_line_per_depth_and_a_panel_per_width(tmp_path):
    grid = {"network_depth": [1, 3], "width": [10, 50], "learning_rate": [0.001, 0.005]}
    runs = load_runs([write_file(tmp_path / "a.h5", experiment_of(grid, **SMALL))])
    figure = levels.draw(runs)
    assert [axes.get_title() for axes in figure.axes] == ["width 10", "width 50"]
    text = " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))
    assert "of 2 learning rates the one" in text.replace("\n", " ")
    assert "trained to step 4,000" in text.replace("\n", " ")
    assert len(levels.draw(runs.where({"width": 10})).axes) == 3
