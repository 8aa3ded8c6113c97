"""The figure ``xy``: what is drawn is what the records say, and what does not fit is refused."""

import json
import re
from typing import ClassVar

import numpy as np
import pytest
from click.testing import CliRunner
from figure_files import experiment_of, made_up_record, made_up_study, write_file

from fracsim.cli.app import command as simulate
from fracsim.cli.plot import command as plot
from fracsim.figures import style
from fracsim.figures.observations import observe
from fracsim.figures.xy import Request, draw_runs
from fracsim.products.runs import load_runs

SMALL = {"steps": 4000, "record_every": 1000}
GRID = {"network_depth": [1, 3], "width": [10, 50], "learning_rate": [0.001, 0.005]}


@pytest.fixture(autouse=True)
def fracsim_style():
    with style.styled():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_file(folder / "grid.h5", experiment_of({**GRID, "seed": [0, 1, 2]}, **SMALL))
    write_file(folder / "one.h5", experiment_of({}, **SMALL))
    write_file(folder / "point.h5", experiment_of({}, steps=1000, record_every=1000))
    seeds = experiment_of({"seed": list(range(20))}, steps=1000, record_every=1000)
    write_file(folder / "seeds.h5", seeds)
    made_up_study(folder / "gradient.h5")
    simulate(["bounds", "cantor", "-q", "-o", str(folder / "bounds.h5")], standalone_mode=False)
    return folder


def all_text(figure) -> str:
    texts = figure.findobj(match=lambda artist: hasattr(artist, "get_text"))
    return " ".join(text.get_text().replace("\n", " ") for text in texts)


def lines_of(axes) -> list[dict[float, float]]:
    return [dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axes.lines]


def table(name: str, at_best: bool = True) -> dict:
    """(depth, width, rate) -> the mean over seeds of a variable at the best, or the last, record;
    recounted."""
    found = {}
    for run in experiment_of({**GRID, "seed": [0, 1, 2]}, **SMALL).runs:
        records = [made_up_record(run, step).quality for step in run.recorded_steps()][1:]
        best = max(records, key=lambda quality: quality["test_accuracy"])
        key = run.network_depth, run.width, run.learning_rate
        found.setdefault(key, []).append((best if at_best else records[-1])[name])
    return {key: float(np.mean(values)) for key, values in found.items()}


def test_without_a_wish_one_run_is_drawn_over_its_steps(folder):
    figure = draw_runs(load_runs(folder / "one.h5"), Request())
    (run,) = experiment_of({}, **SMALL).runs
    expected = {
        step: made_up_record(run, step).quality["test_accuracy"] for step in run.recorded_steps()
    }
    assert lines_of(figure.axes[0]) == [pytest.approx(expected)]
    assert "Test accuracy against step: cantor" in all_text(figure)


def test_without_a_wish_a_sweep_is_drawn_over_the_width_at_the_best_rate(folder):
    figure = draw_runs(load_runs(folder / "grid.h5"), Request())
    means = table("test_accuracy")
    assert lines_of(figure.axes[0]) == [
        pytest.approx({k: max(means[t, k, rate] for rate in (0.001, 0.005)) for k in (10, 50)})
        for t in (1, 3)
    ]
    text = all_text(figure)
    assert "depth 1" in text
    assert "best of 2 learning rates by the mean over seeds; mean of 3 seeds" in text
    assert "trained to step 4,000" in text


def test_names_on_the_axes_in_colours_and_in_panels(folder):
    request = Request(x="lr", y="test_loss", hue="depth", panel="width", select="last", band="sd")
    figure = draw_runs(load_runs(folder / "grid.h5"), request)
    means = table("test_loss", at_best=False)
    assert [axes.get_title() for axes in figure.axes] == ["width 10", "width 50"]
    for axes, k in zip(figure.axes, (10, 50), strict=True):
        assert lines_of(axes) == [
            pytest.approx({rate: means[t, k, rate] for rate in (0.001, 0.005)}) for t in (1, 3)
        ]
    assert "At the last record (step 4,000)" in all_text(figure)
    assert "± standard deviation" in all_text(figure)


def test_a_variable_by_level_gets_a_colour_for_each(folder):
    figure = draw_runs(load_runs(folder / "one.h5"), Request(y="test_accuracy_by_level"))
    assert len(figure.axes[0].lines) == 6
    assert "level 5" in all_text(figure)
    one = draw_runs(load_runs(folder / "one.h5"), Request(y="test_accuracy_by_level[-1]"))
    last = figure.axes[0].lines[-1].get_ydata()
    assert one.axes[0].lines[0].get_ydata().tolist() == last.tolist()


@pytest.mark.parametrize("role", ["x", "hue", "dashes", "panel"])
def test_layers_without_any_number_are_not_drawn(folder, role):
    """A readout has no units that could be inactive; a shallow run lacks layers of a deep one."""
    request = Request(**{"x": "step", role: "layer"}, y="inactive_units")
    text = all_text(draw_runs(load_runs(folder / "one.h5"), request))
    (run,) = experiment_of({}, **SMALL).runs
    assert f"layer {run.network_depth + 1}" not in text
    assert "are not there" not in text
    if role != "x":
        assert f"layer {run.network_depth}" in text


def test_layers_of_the_deepest_run_are_drawn(folder):
    mixed = draw_runs(load_runs(folder / "grid.h5"), Request(y="inactive_units", hue="layer"))
    assert "layer 3" in all_text(mixed)
    assert "layer 4" not in all_text(mixed)
    assert "are not there" not in all_text(mixed)


def test_a_number_that_a_layer_lacks_at_some_steps_is_missing():
    """Which is told, other than a layer that has none at all."""

    class Made:
        settings: ClassVar = {}

        def values(self, name):
            y = np.array([[1.0, 2.0, np.nan], [np.nan, 3.0, np.nan]])
            made = {"step": (("step",), np.arange(2)), "layer": (("layer",), np.arange(1, 4))}
            return {"y": (("step", "layer"), y), **made}.get(name)

        whole = values

    table = observe([Made()], "y", {"x": "step", "hue": "layer"}, {})
    assert table.columns["hue"] == [1, 2, 1, 2]
    assert [number == number for number in table.numbers] == [True, True, False, True]


def test_variables_of_studies(folder, tmp_path):
    output = tmp_path / "a.png"
    for words in (
        ["bounds.h5", "--y", "upper_error"],
        ["bounds.h5", "--y", "upper_error", "--x", "width", "--where", "depth=1,2"],
        ["gradient.h5"],
        ["gradient.h5", "--y", "correlation_by_level", "--logy", "--band", "none"],
    ):
        done = CliRunner().invoke(
            plot, ["xy", str(folder / words[0]), *words[1:], "-o", str(output), "--json"]
        )
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["output"] == str(output)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["grid.h5", "--y", "test_acuracy"], "did you mean 'test_accuracy'"),
        (["grid.h5", "--x", "widht"], "--x widht: there is no such variable.*'width'"),
        (["grid.h5", "--hue", "level"], "--hue level lies along level, and test_accuracy"),
        (["grid.h5", "--y", "fractal"], "'cantor', which is no number"),
        (["grid.h5", "--where", "width=7"], "no run has it"),
        (["grid.h5", "--select", "first"], "--select is 'first'"),
        (["grid.h5", "--select", "step:7"], "no run has a record there; the nearest is step:"),
        (["grid.h5", "--x", "step", "--select", "last"], "accepted is one of the two"),
        (["seeds.h5", "--x", "step", "--hue", "seed"], "--hue seed has 20 values, .*at most 16"),
        (["seeds.h5", "--x", "step", "--panel", "seed"], "20 panels are more than the 12"),
        (["one.h5", "--y", "test_accuracy_by_level[9]"], "there is no such variable"),
        (["one.h5", "gradient.h5"], "of gradient and trajectories"),
        (["bounds.h5", "gradient.h5"], "of bounds, gradient"),
        (["bounds.h5", "--select", "best"], "files of studies have none"),
        (["bounds.h5", "--y", "upper_eror"], "did you mean 'upper_error'"),
        (["bounds.h5", "--y", "upper_error", "--where", "width=10"], "is a finite number"),
        (["one.h5", "--x", "fractal", "--logx"], "--logx: fractal has values that are no numbers"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(folder, monkeypatch, words, says):
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(plot, ["xy", *words, "-o", "a.png"])
    assert done.exit_code == 2, done.output
    (line,) = (line for line in done.stderr.splitlines() if line)

    assert re.search(says, line), line


def test_one_point_is_drawn(folder):
    request = Request(x="width")
    figure = draw_runs(load_runs(folder / "point.h5"), request)
    assert len(figure.axes[0].lines[0].get_xdata()) == 1


def test_style_with_the_name_of_a_setting_is_dashes(folder, tmp_path):
    """As relational plots elsewhere have it; a matplotlib style stays one."""
    pictures = []
    for options in (["--dashes", "depth"], ["--style", "depth"], ["--style", "network_depth"]):
        output = tmp_path / f"{len(pictures)}.svg"
        words = ["xy", str(folder / "grid.h5"), "--x", "width", "--hue", "width", *options]
        plot([*words, "-q", "-o", str(output)], standalone_mode=False)
        pictures.append(output.read_bytes())
    assert pictures[0] == pictures[1] == pictures[2]
    words = ["xy", str(folder / "grid.h5"), "--style", "grayscale", "-o", str(tmp_path / "a.svg")]
    assert CliRunner().invoke(plot, words).exit_code == 0
    result = CliRunner().invoke(plot, [*words[:3], "grayscal", *words[4:]])
    assert (result.exit_code, "did you mean 'grayscale'" in result.output) == (2, True)
