"""Every figure at the width of a column and of a page: text that is large enough, not cut off, not
written over other text, and numbers below every panel that has no other below it."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from figure_files import experiment_of, made_up_students, made_up_study, write_file
from matplotlib.figure import Figure
from text_boxes import complaints

from fracsim.cli.app import command as simulate
from fracsim.cli.plot import command as plot
from fracsim.figures import layout, style
from fracsim.studies import STUDIES

SMALL = {"steps": 3000, "record_every": 500}

TRAJECTORIES = [
    "training grid.h5",
    "training single.h5",
    "depth-width grid.h5",
    "depth-width fractals.h5",
    "depth-width equal.h5",
    "depth-width fractals.h5 other-widths.h5",
    "curve-accuracy curves.h5",
    "xy grid.h5",
    "xy fractals.h5 --x step",
    "xy deep5.h5 --y inactive_units --panel layer",
    "levels single.h5",
    "levels grid.h5",
    "decision one.h5",
    "decision line.h5",
]

ALONE = [
    "curves",
    "fractal vicsek --fractal-depth 3 --count 300",
    "fractal cantor1d --count 300",
    "fractal cantor:3 --fractal-depth 2 --count 300",
]

MADE = {
    "bounds cantor": "bounds FILE grid.h5",
    "bounds cantor1d --depth 1:6 --width 5:60:5": "bounds FILE",
    "construct sierpinski --fractal-depth 1 --count 100": "decision FILE",
    "regions one.h5": "regions FILE",
    "regions one.h5 --segment -1,-1,1,1": "regions FILE",
    "regions one.h5 --lines 50": "regions FILE",
    "regions records.h5 --snapshot all": "regions FILE",
    "regions --random --width 8 --depth 2 --draws 20 --bias-std 0.5": "regions FILE",
    "regions records.h5 --snapshot all --lines 20 --along cells": "regions FILE",
    "regions records.h5 --snapshot all --lines 500 --along distance": "regions FILE",
    "regions --random --inputs 3 --width 6 --depth 2 --bias-std 0.5": "regions FILE",
    "meanfield": "meanfield FILE",
    "lengths --random --width 20 --depth 5 --draws 10": "lengths FILE",
    "lengths records.h5 --snapshot all": "lengths FILE",
    "moments --width 20 --depth 5 --draws 200": "moments FILE",
    "moments records.h5 --snapshot all": "moments FILE",
    "multiply --count 200": "multiply FILE",
    "radial --dimension 2,4 --count 200": "radial FILE",
    "kernel-spectrum": "kernel-spectrum FILE",
    "kernel-learning cantor --fractal-depth 2 --train-points 20,40 --draws 2": (
        "kernel-learning FILE"
    ),
    "ntk --width 8,16 --draws 50": "ntk FILE",
    "quantise one.h5 --count 200": "quantise FILE",
    "shallow --fractal-depth 1:4": "shallow FILE",
    "conjecture deep.h5": "conjecture FILE",
    "landscape one.h5 --grid 5 --train-points 100": "landscape FILE",
    "landscape records.h5 --trajectory --grid 5x5 --train-points 100": "landscape FILE",
    "landscape one.h5 --to other.h5 --count 9 --train-points 100": "landscape FILE",
}
"""Words of a study's command -> words of its figure's, where FILE is what it makes."""

WRITTEN = [
    "gradient gradient.h5",
    "gradient gradient.h5 more.h5",
    "distil students.h5",
    "distil line-students.h5",
]

FIGURES = [*ALONE, *TRAJECTORIES, *WRITTEN, *MADE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    grid = {"network_depth": [1, 2, 5], "width": [10, 20, 50], "learning_rate": [0.001, 0.005]}
    write_file(folder / "grid.h5", experiment_of({**grid, "seed": [0, 1]}, **SMALL))
    fractals = {"fractal": ["cantor", "vicsek", "sierpinski"], "width": [10, 20, 50, 100]}
    write_file(folder / "fractals.h5", experiment_of(fractals, **SMALL))
    others = {"fractal": ["pentaflake", "cantor:3"], "width": [10, 200]}
    write_file(folder / "other-widths.h5", experiment_of(others, **SMALL))
    for depth, width in ((1, 60), (2, 40), (3, 30)):
        one = experiment_of({}, network_depth=depth, width=width, **SMALL)
        write_file(folder / f"equal{depth}.h5", one)
    write_file(folder / "deep5.h5", experiment_of({}, network_depth=5, **SMALL))
    write_file(folder / "curves.h5", experiment_of({"curve": list("123456")}, **SMALL))
    write_file(folder / "single.h5", experiment_of({"seed": [0, 1]}, network_depth=3, **SMALL))
    small = {"width": 10, "fractal_depth": 3, **SMALL}
    write_file(folder / "one.h5", experiment_of({}, "final", **small))
    write_file(folder / "other.h5", experiment_of({}, "final", seed=1, **small))
    write_file(folder / "line.h5", experiment_of({}, "final", fractal="cantor1d", **small))
    write_file(folder / "records.h5", experiment_of({}, "records", **small))
    deep = {"curve": ["1", "4", "6"], "network_depth": [1, 3]}
    write_file(folder / "deep.h5", experiment_of(deep, fractal="cantor1d", **small))
    made_up_study(folder / "gradient.h5")
    made_up_study(folder / "more.h5", width=50)
    made_up_students(folder / "students.h5")
    made_up_students(folder / "line-students.h5", line=True)
    return folder


@pytest.fixture
def drawn(folder, monkeypatch) -> list[Figure]:
    """The figures that commands draw, in the folder of the files."""
    figures: list[Figure] = []
    monkeypatch.chdir(folder)
    monkeypatch.setattr(style, "save", lambda figure, *_: figures.append(figure))
    return figures


def words_of(name: str, folder: Path) -> list[str]:
    """The words that draw a figure; the study's file is made once."""
    if name == "depth-width equal.h5":
        return ["depth-width", *(f"equal{depth}.h5" for depth in (1, 2, 3))]
    if name not in MADE:
        return name.split()
    path = folder / f"{abs(hash(name))}.h5"
    if not path.exists():
        simulate([*name.split(), "-q", "-o", str(path)], standalone_mode=False)
    return MADE[name].replace("FILE", path.name).split()


def draw(words: list[str], *options: str) -> None:
    with style.styled():
        plot([*words, "-q", "-o", "figure.png", *options], standalone_mode=False)


@pytest.mark.compiled
@pytest.mark.parametrize("name", FIGURES)
def test_at_the_width_of_a_column(folder, drawn, name):
    draw(words_of(name, folder), "--size", "column")
    assert drawn[0].get_size_inches()[0] == layout.COLUMN
    assert complaints(drawn[0]) == []


@pytest.mark.compiled
@pytest.mark.slow
@pytest.mark.parametrize("size", ["page", "7x5"])
@pytest.mark.parametrize("name", FIGURES)
def test_at_the_width_of_a_page(folder, drawn, name, size):
    draw(words_of(name, folder), "--size", size)
    assert drawn[0].get_size_inches()[0] == layout.PAGE
    assert complaints(drawn[0]) == []


def test_every_command_is_tried():
    words = [MADE.get(name, name) for name in FIGURES]
    commands = {name for name, study in STUDIES.items() if study.figure} | {*plot.commands}
    assert {text.split()[0] for text in words} >= commands - {"animate", "report"}


@pytest.mark.parametrize("name", ["depth-width grid.h5", "curve-accuracy curves.h5", "curves"])
def test_one_panel_fits_in_a_small_figure(folder, drawn, name):
    draw(name.split(), "--size", "3.4x2.6")
    assert tuple(drawn[0].get_size_inches()) == (3.4, 2.6)
    assert complaints(drawn[0]) == []


def test_many_panels_are_refused_where_there_is_no_room(folder):
    result = CliRunner().invoke(
        plot, ["training", str(folder / "single.h5"), "-o", "a.png", "--size", "3.4x2"]
    )
    assert result.exit_code == 2
    assert "--size 3.4x2" in result.output
    assert "accepted is more height, as --size column finds it" in result.output


def test_a_long_title_is_wrapped(folder, drawn):
    title = "What networks of one to five hidden layers learn of the Cantor set " * 3
    draw(["depth-width", "grid.h5"], "--size", "column", "--title", title)
    assert complaints(drawn[0]) == []


def test_titles_and_notes_can_be_left_out(folder, drawn):
    draw(["depth-width", "grid.h5"], "--no-title", "--no-notes")
    texts = drawn[0].findobj(match=lambda artist: hasattr(artist, "get_text"))
    shown = " ".join(text.get_text() for text in texts)
    assert "Best" not in shown
    assert "Hollow" not in shown


def test_names_are_text(folder, drawn):
    """A fractal and files whose names look like mathematics."""
    text = (folder / "$x_$.toml", 'name = "$x_$ and $"\n')
    maps = "[[map]]\nmatrix = [[0.3, 0.0], [0.0, 0.3]]\noffset = [{0}, {0}]\n"
    text[0].write_text(text[1] + maps.format(-0.7) + maps.format(0.7))
    draw(["fractal", "$x_$.toml", "--fractal-depth", "2", "--count", "50"])
    unfinished = experiment_of({"seed": [0, 1]}, **SMALL)
    write_file(folder / "cost$5_and_$6_.h5", unfinished, records=2, finish=None)
    draw(["training", "cost$5_and_$6_.h5"])
    assert [complaints(figure) for figure in drawn] == [[], []]
    notes = drawn[1].findobj(match=lambda artist: hasattr(artist, "get_text"))
    assert any("cost$5_and_$6_.h5" in text.get_text() for text in notes)
