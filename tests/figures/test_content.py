"""What is on the axes: the figures of trajectories, read back from matplotlib's objects."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from figure_files import experiment_of, made_up_record, write_file

from fracsim.cli.plot import command
from fracsim.data.errors import FileError
from fracsim.errors import UsageError
from fracsim.figures import curve_accuracy, depth_width, levels, paper, style, training, xy
from fracsim.products.entries import order
from fracsim.products.runs import load_runs

SMALL = {"steps": 4000, "record_every": 1000}


@pytest.fixture(autouse=True)
def fracsim_style():
    with style.styled():
        yield


def all_text(figure) -> str:
    texts = figure.findobj(match=lambda artist: hasattr(artist, "get_text"))
    return "\n".join(text.get_text().replace("\n", " ") for text in texts)


def best_of(run) -> float:
    steps = run.recorded_steps()[1:]
    return max(made_up_record(run, step).quality["test_accuracy"] for step in steps)


def filled(axes) -> list:
    """Our lines: those with a line and a filled marker."""
    return [line for line in axes.lines if line.get_linestyle() != "None"]


def hollow(axes) -> list:
    """The paper's points."""
    return [line for line in axes.lines if line.get_linestyle() == "None"]


def test_depth_width_takes_the_rate_with_the_best_mean_over_seeds(tmp_path):
    experiment = experiment_of(
        {
            "network_depth": [1, 2],
            "width": [10, 50],
            "learning_rate": [0.001, 0.005],
            "seed": [0, 1, 2],
        },
        **SMALL,
    )
    runs = load_runs([write_file(tmp_path / "a.h5", experiment)])
    axes = depth_width.draw(runs).axes[0]
    expected = {}
    for run in experiment.runs:
        expected.setdefault((run.network_depth, run.width, run.learning_rate), []).append(
            best_of(run)
        )
    for depth, line in zip([1, 2], filled(axes), strict=True):
        assert list(line.get_xdata()) == [10, 50]
        means = [
            max(np.mean(expected[depth, width, rate]) for rate in (0.001, 0.005))
            for width in (10, 50)
        ]
        assert line.get_ydata() == pytest.approx(means)
    spans = axes.collections[1].get_segments()  # the seeds of depth 1
    assert [span[:, 1].tolist() for span in spans] == [
        pytest.approx([min(expected[1, width, 0.001]), max(expected[1, width, 0.001])])
        for width in (10, 50)
    ]
    assert any(
        "depth 1: the best learning rate is 0.001 at width 10, 50" in note for note in runs.notes
    )


@pytest.mark.parametrize(
    ("settings", "drawn"),
    [
        ({}, True),
        ({"loss": "logistic"}, True),
        ({"curve": "4"}, False),
        ({"fractal_depth": 4}, False),
        ({"fractal": "vicsek"}, False),
        ({"gap": "complement"}, False),
        ({"positive_margin": 0.1}, False),
    ],
)
def test_papers_points_are_drawn_on_the_papers_distribution_only(tmp_path, settings, drawn):
    experiment = experiment_of({"network_depth": [1, 5], "width": [10, 50]}, **SMALL, **settings)
    figure = depth_width.draw(load_runs([write_file(tmp_path / "a.h5", experiment)]))
    lines = hollow(figure.axes[0])
    assert len(lines) == (2 if drawn else 0)
    assert ("Malach" in all_text(figure)) == drawn
    if drawn:
        table = paper.depth_width_table()
        assert lines[1].get_xydata().tolist() == [
            [width, value] for width, value in table[5].items()
        ]


def test_fractals_make_panels_and_shards_join(tmp_path):
    grid = {"network_depth": [1, 2], "width": [10, 20]}
    files = [
        write_file(tmp_path / f"{name}.h5", experiment_of(grid, fractal=name, **SMALL))
        for name in ("cantor", "vicsek")
    ]
    shard = write_file(
        tmp_path / "shard.h5", experiment_of({"width": [50]}, network_depth=1, **SMALL)
    )
    figure = depth_width.draw(load_runs([*files, shard]))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["cantor, $n = 5$, curve #1", "vicsek, $n = 5$, curve #1"]
    assert list(filled(figure.axes[0])[0].get_xdata()) == [10, 20, 50]


def test_a_run_given_twice_counts_once_with_most_records(tmp_path):
    experiment = experiment_of({"seed": [0, 1]}, **SMALL)
    running = write_file(tmp_path / "running.h5", experiment, records=2, finish=None)
    complete = write_file(tmp_path / "complete.h5", experiment)
    runs = load_runs([running, complete])
    assert len(runs.entries) == 2
    assert all(entry.trajectory.status == "complete" for entry in runs.entries)
    assert "running.h5: running, 6 of 10 records" in runs.caveats
    assert "running, 6 of 10 records" in all_text(training.draw(runs))


def test_training_of_one_setting_shows_levels_and_layers_with_a_band_over_seeds(tmp_path):
    experiment = experiment_of({"seed": [0, 1, 2]}, network_depth=2, fractal_depth=3, **SMALL)
    figure = training.draw(load_runs([write_file(tmp_path / "a.h5", experiment)]))
    loss, accuracy, levels, layers = figure.axes
    assert [line.get_label() for line in levels.lines] == [
        "level 0",
        "level 1",
        "level 2",
        "level 3 ($+$)",
    ]
    assert [line.get_label() for line in layers.lines] == ["layer 1", "layer 2", "layer 3"]
    expected = np.array(
        [
            [made_up_record(run, step).quality["test_accuracy"] for step in run.recorded_steps()]
            for run in experiment.runs
        ]
    )
    assert accuracy.lines[1].get_ydata() == pytest.approx(expected.mean(0))
    assert list(accuracy.lines[1].get_xdata()) == [0, 1000, 2000, 3000, 4000]
    band = accuracy.collections[1].get_paths()[0].vertices[:, 1]
    assert {band.min(), band.max()} == {expected.min(), expected.max()}
    assert len(loss.lines) == 2
    assert "3 seeds" in all_text(figure)


def test_training_of_many_settings_draws_the_best_and_says_so(tmp_path):
    experiment = experiment_of({"network_depth": [1, 2, 3, 4], "width": [10, 20]}, **SMALL)
    runs = load_runs([write_file(tmp_path / "a.h5", experiment)])
    figure = training.draw(runs)
    assert "6 of 8 settings are drawn" in runs.notes[0]
    best = sorted(experiment.runs, key=best_of)[-6:]
    for run in best:
        assert f"depth {run.network_depth}, width {run.width}" in all_text(figure)
    chosen = load_runs([tmp_path / "a.h5"]).where({"network_depth": "1", "width": "20"})
    assert [entry.settings["width"] for entry in chosen.entries] == [20]


def test_files_with_other_steps_share_an_axis(tmp_path):
    a = write_file(tmp_path / "a.h5", experiment_of({}, seed=0, **SMALL))
    b = write_file(tmp_path / "b.h5", experiment_of({}, seed=0, steps=6000, record_every=1500))
    accuracy = training.draw(load_runs([a, b])).axes[1]
    assert [list(line.get_xdata()) for line in accuracy.lines[1::2]] == [
        [0, 1000, 2000, 3000, 4000],
        [0, 1500, 3000, 4500, 6000],
    ]


def test_curve_accuracy_has_the_curves_and_the_papers_figure_5(tmp_path):
    curves = ["1", "2", "3", "4", "5", "6"]
    experiment = experiment_of({"curve": curves, "width": [10, 100]}, **SMALL)
    figure = curve_accuracy.draw(load_runs([write_file(tmp_path / "a.h5", experiment)]))
    axes = figure.axes[0]
    greys = {line.get_color(): line for line in axes.lines}
    lines = {f"$P({j + 3})$": greys[grey] for j, (grey, _) in enumerate(curve_accuracy.GREYS)}
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"#{curve}" for curve in curves]
    # FACTS of the paper, P(3) and P(4) of curves 1..6
    assert lines["$P(3)$"].get_ydata() == pytest.approx(
        [0.8402, 0.7063, 0.5, 0.5423, 0.5062, 0.5], abs=1e-4
    )
    assert lines["$P(4)$"].get_ydata() == pytest.approx(
        [0.9257, 0.87, 0.7929, 0.6842, 0.5838, 0.5], abs=1e-4
    )
    (ours,) = (line for line in filled(axes) if line.get_zorder() == 3)
    assert ours.get_ydata() == pytest.approx(
        [max(best_of(run) for run in experiment.runs if run.curve == curve) for curve in curves]
    )
    assert hollow(axes)[0].get_ydata() == pytest.approx(
        [0.9924, 0.9654, 0.9096, 0.9322, 0.7566, 0.7764]
    )


def test_the_wrong_figure_names_the_right_one(tmp_path):
    curves = load_runs(
        [write_file(tmp_path / "c.h5", experiment_of({"curve": ["1", "2"]}, **SMALL))]
    )
    widths = load_runs([write_file(tmp_path / "w.h5", experiment_of({"width": [10, 20]}, **SMALL))])
    with pytest.raises(FileError, match="use curve-accuracy"):
        depth_width.draw(curves)
    with pytest.raises(FileError, match="use depth-width"):
        curve_accuracy.draw(widths)
    with pytest.raises(UsageError, match="did you mean 'width'"):
        widths.where({"widht": "10"})


def test_json_and_quiet(tmp_path):
    experiment = experiment_of({"learning_rate": [0.001, 0.002]}, **SMALL)
    file = write_file(tmp_path / "a.h5", experiment)
    output = tmp_path / "a.svg"
    arguments = ["depth-width", str(file), "-o", str(output)]
    result = CliRunner().invoke(command, [*arguments, "--json"])
    rate = max(experiment.runs, key=best_of).learning_rate
    note = f"cantor, n = 5, curve #1, depth 5: the best learning rate is {rate} at width 100"
    assert json.loads(result.stdout) == {"output": str(output), "notes": [note]}
    result = CliRunner().invoke(
        command, [*arguments, "--quiet", "--title", "A title", "--size", "5x4"]
    )
    assert result.output == ""
    text = output.read_text()
    assert 'width="360pt" height="288pt"' in text


def test_values_are_ordered_as_numbers():
    assert sorted(["10", "2", "finest:2", "1"], key=order) == ["1", "2", "10", "finest:2"]


def test_what_a_figure_leaves_out_stands_in_it(tmp_path):
    experiment = experiment_of({"network_depth": [1, 2, 3, 4], "width": [10, 20]}, **SMALL)
    runs = load_runs([write_file(tmp_path / "a.h5", experiment)])
    assert "6 of 8 settings are drawn, the best by test accuracy." in all_text(training.draw(runs))


def test_steps_of_ours_and_of_the_papers_stand_in_the_figure(tmp_path):
    experiment = experiment_of({"network_depth": [1, 5], "width": [10, 50]}, **SMALL)
    runs = load_runs([write_file(tmp_path / "a.h5", experiment)])
    text = all_text(depth_width.draw(runs))
    assert "up to step 4,000" in text
    assert "best of 10⁶ steps" in text
    assert "Malach" not in all_text(depth_width.draw(runs, papers=False))
    curves = load_runs(
        [write_file(tmp_path / "c.h5", experiment_of({"curve": ["1", "4"]}, **SMALL))]
    )
    text = all_text(curve_accuracy.draw(curves))
    assert "up to step 4,000" in text
    assert "best of 10⁶ steps" in text
    assert "Malach" not in all_text(curve_accuracy.draw(curves, papers=False))


def test_a_value_has_one_look_in_every_figure(tmp_path):
    """An interrupted sweep of depths 4 and 5, and the complete one."""

    def looks(depths):
        file = tmp_path / f"{len(depths)}.h5"
        grid = {"network_depth": depths, "width": [10, 20]}
        figure = depth_width.draw(load_runs([write_file(file, experiment_of(grid, **SMALL))]))
        lines = {len(depths) - i: line for i, line in enumerate(reversed(filled(figure.axes[0])))}
        return {
            depths[place - 1]: (line.get_color(), line.get_marker(), line.get_linestyle())
            for place, line in lines.items()
        }

    some, all_of_them = looks([4, 5]), looks([1, 2, 3, 4, 5])
    assert some == {depth: all_of_them[depth] for depth in (4, 5)}


@pytest.mark.parametrize("title", ["", "costs $5, and more"])
def test_titles_may_be_empty_or_hold_a_dollar(tmp_path, title):
    runs = load_runs([write_file(tmp_path / "a.h5", experiment_of({"width": [10, 20]}, **SMALL))])
    text = all_text(depth_width.draw(runs, title=title))
    assert "Best test accuracy against" not in text
    assert title in text


def test_notes_can_be_left_out(tmp_path):
    runs = load_runs([write_file(tmp_path / "a.h5", experiment_of({"width": [10, 20]}, **SMALL))])
    with style.styled(notes=False):
        assert "Best: the maximum" not in all_text(depth_width.draw(runs))


def test_dead_networks_are_told_in_the_figure(tmp_path, monkeypatch):
    experiment = experiment_of({"network_depth": [1, 2], "width": [10, 20]}, **SMALL)
    runs = load_runs([write_file(tmp_path / "a.h5", experiment)])
    monkeypatch.setattr("fracsim.figures.collect.dead_words", lambda entries: "1 of 4 runs is dead")
    request = xy.Request()
    for figure in (training.draw(runs), depth_width.draw(runs), levels.draw(runs)):
        assert "1 of 4 runs is dead." in all_text(figure)
    assert "1 of 4 runs is dead." in all_text(xy.draw_runs(runs, request))
