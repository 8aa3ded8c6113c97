"""What is on the axes of the figure ``bounds``, and which runs it takes."""

import re

import numpy as np
import pytest
from click.testing import CliRunner
from figure_files import experiment_of, made_up_record, write_file
from matplotlib.collections import LineCollection

from fracsim.cli.app import command as simulate
from fracsim.cli.plot import command
from fracsim.errors import UsageError
from fracsim.figures import style
from fracsim.products.runs import Runs, load_runs
from fracsim.studies import open_study
from fracsim.studies.bounds import figure as bounds

SMALL = {"steps": 2000, "record_every": 1000, "fractal_depth": 4}


@pytest.fixture(autouse=True)
def fracsim_style():
    with style.styled():
        yield


def study(path, *arguments):
    simulate(
        ["bounds", *arguments, "--fractal-depth", "4", "-q", "-o", str(path)], standalone_mode=False
    )
    return path


def load(paths):
    """The bounds among the files, and the runs of the others."""
    (found,) = (path for path in paths if path.name == "b.h5")
    others = [path for path in paths if path != found]
    return open_study(found, "bounds"), load_runs(others) if others else Runs([])


def points_of(axes):
    """Trained networks."""
    return [line for line in axes.lines if line.get_marker() == "o"]


def drawn_lines(axes):
    """The theorems' lines, x -> y each, read back from their segments; where several lie on each
    other each has its own dashes."""
    return [
        {x: y for segment in collection.get_segments() for x, y in segment.tolist()}
        for collection in axes.collections
        if isinstance(collection, LineCollection)
    ]


def text_of(figure):
    return "\n".join(
        text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))
    )


def test_bounds_and_trained_networks(tmp_path):
    experiment = experiment_of(
        {"network_depth": [1, 2], "width": [10, 50], "learning_rate": [0.001, 0.005]}, **SMALL
    )
    files = [write_file(tmp_path / "t.h5", experiment), study(tmp_path / "b.h5", "cantor")]
    found, runs = load(files)
    figure = bounds.draw(found, runs)
    depth, width, least = figure.axes
    best = {}
    for run in experiment.runs:
        error = 1 - max(
            made_up_record(run, step).quality["test_accuracy"] for step in run.recorded_steps()
        )
        best[run.network_depth, run.width] = min(best.get((run.network_depth, run.width), 1), error)
    assert [line.get_xydata().tolist() for line in points_of(depth)] == [
        [[1, pytest.approx(best[1, k])], [2, pytest.approx(best[2, k])]] for k in (10, 50)
    ]
    assert [line.get_xydata().tolist() for line in points_of(width)] == [
        [[10, pytest.approx(best[t, 10])], [50, pytest.approx(best[t, 50])]] for t in (1, 2)
    ]
    np.testing.assert_array_equal(least.lines[0].get_ydata(), found.arrays["least_width"])
    depths = found.arrays["network_depth"].tolist()
    expected = [
        {t: error for t, error in zip(depths, errors, strict=True) if np.isfinite(error)}
        for errors in found.arrays["upper_error"].T.tolist()
    ]
    assert drawn_lines(depth) == expected
    assert "trained, best" in text_of(figure)
    assert "0-1 error" in text_of(figure)
    assert "Theorem 4:" not in text_of(figure)


def test_on_the_line_the_exact_error_has_a_panel(tmp_path):
    path = study(
        tmp_path / "b.h5", "cantor1d", "--curve", "6", "--width", "2,3,10", "--depth", "1:3"
    )
    found, runs = load([path])
    figure = bounds.draw(found, runs)
    assert len(figure.axes) == 4
    exact, lower = figure.axes[3].lines
    np.testing.assert_array_equal(exact.get_xdata(), found.arrays["sign_changes"])
    np.testing.assert_array_equal(exact.get_ydata(), found.arrays["changes_least_error"])
    np.testing.assert_array_equal(lower.get_ydata(), found.arrays["changes_lower_error"])
    widths, drawn = found.arrays["width"].tolist(), drawn_lines(figure.axes[1])
    for values in (
        *found.arrays["lower_error"],
        *found.arrays["least_error"],
        *found.arrays["upper_error"],
    ):
        there = {k: y for k, y in zip(widths, values.tolist(), strict=True) if np.isfinite(y)}
        assert there in drawn or len(there) < 2
    assert "trained" not in text_of(figure)


def test_lines_upon_each_other_have_dashes_of_their_own(tmp_path):
    path = study(tmp_path / "b.h5", "cantor1d", "--width", "10,12,100", "--depth", "1:4")
    axes = bounds.draw(*load([path])).axes[0]
    upper = [part for part in axes.collections if isinstance(part, LineCollection)][:3]
    first, second, wide = [part.get_linestyle()[0] for part in upper]
    assert first[1] == second[1]  # the same dashes …
    assert second[0] - first[0] == first[1][0]  # … one after the other
    assert wide[1] is None or wide[1] == first[1]


def test_without_theorem_2_there_are_two_panels(tmp_path):
    figure = bounds.draw(*load([study(tmp_path / "b.h5", "vicsek")]))
    assert len(figure.axes) == 2
    assert "images of vicsek touch" in text_of(figure)


def test_runs_of_other_distributions_are_left_out_or_refused(tmp_path):
    path = study(tmp_path / "b.h5", "cantor", "--width", "10,50", "--depth", "1,2")
    grid = {"curve": ["1", "4"], "network_depth": [2, 3], "width": [50]}
    found, runs = load([path, write_file(tmp_path / "t.h5", experiment_of(grid, **SMALL))])
    figure = bounds.draw(found, runs)
    assert len(points_of(figure.axes[0])) == 1
    assert runs.notes[0] == "2 of 4 runs are of another distribution and left out"
    assert runs.notes[1].endswith("left out: depth 3, width 50")
    for i, settings in enumerate(
        [
            {"curve": "4"},
            {"fractal": "corners"},
            {"gap": "complement"},
            {"fractal_depth": 3},
            {"positive_margin": 0.1},
        ]
    ):
        other = write_file(tmp_path / f"{i}.h5", experiment_of({}, **{**SMALL, **settings}))
        with pytest.raises(
            UsageError, match="bounds are of cantor, n = 4, curve #1, without margins, but no"
        ):
            bounds.draw(*load([path, other]))


@pytest.mark.parametrize(
    ("files", "code", "says"),
    [
        (["t.h5"], 2, "accepted is one file made by `fracsim bounds`.*0 such files given"),
        (["b.h5", "b.h5"], 2, "2 such files given"),
        (["b.h5", "missing.h5"], 1, "missing.h5"),
        (["b.h5", "t.h5", "--where", "widht=10"], 2, "did you mean 'width'"),
    ],
)
def test_bad_files(tmp_path, monkeypatch, files, code, says):
    monkeypatch.chdir(tmp_path)
    study("b.h5", "cantor")
    write_file(tmp_path / "t.h5", experiment_of({"width": [10, 20]}, **SMALL))
    result = CliRunner().invoke(command, ["bounds", *files, "-o", "b.png"])
    assert result.exit_code == code
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert re.search(says, line)
