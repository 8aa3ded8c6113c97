"""Films of a training: frames, what they show, and equal bytes."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from figure_files import experiment_of, made_up_record, write_file
from PIL import Image
from places import TOP
from text_boxes import complaints

from fracsim.cli.plot import command as plot
from fracsim.figures import animate, style
from fracsim.networks.snapshots import snapshots_of
from fracsim.studies.regions.film import cut
from fracsim.studies.regions.regions import partition

SMALL = {"steps": 3000, "record_every": 500, "width": 10, "fractal_depth": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    write_file(folder / "plane.h5", experiment_of({}, "records", **SMALL))
    write_file(folder / "line.h5", experiment_of({}, "records", fractal="cantor1d", **SMALL))
    write_file(folder / "cube.h5", experiment_of({}, "records", fractal="cantor:3", **SMALL))
    write_file(folder / "final.h5", experiment_of({}, "final", **SMALL))
    write_file(folder / "none.h5", experiment_of({"seed": [0, 1]}, **SMALL))
    return folder


@pytest.fixture(autouse=True)
def fracsim_style():
    with style.styled():
        yield


FILMS = [
    "plane.h5 --frames 3",
    pytest.param("line.h5", marks=pytest.mark.slow),
    pytest.param("plane.h5 --show levels", marks=pytest.mark.slow),
    pytest.param("plane.h5 --show regions --frames 3", marks=pytest.mark.slow),
]


@pytest.mark.compiled
@pytest.mark.parametrize("words", FILMS)
def test_films_are_gifs_with_the_same_bytes(folder, tmp_path, words):
    code = (
        "import sys\nfrom fracsim.cli.plot import command\n"
        "command(sys.argv[1:], standalone_mode=False)"
    )
    written = []
    for seed in ("1", "2"):
        output = tmp_path / f"{seed}.gif"
        arguments = ["animate", *words.split(), "-q", "--dpi", "40", "-o", str(output)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        environment["PYTHONPATH"] = os.pathsep.join([str(TOP), environment.get("PYTHONPATH", "")])
        command = [sys.executable, "-c", code, *arguments]
        assert subprocess.run(command, cwd=folder, env=environment).returncode == 0
        written.append(output.read_bytes())
    assert written[0] == written[1]
    with Image.open(output) as film:
        assert film.n_frames == (3 if "--frames 3" in words else 7)
        assert film.info["loop"] == 0


@pytest.mark.compiled
@pytest.mark.parametrize("size", [None, (3.4, None)])
@pytest.mark.parametrize("show", animate.SHOWS)
def test_frames_show_the_records(folder, show, size):
    film = animate.draw(str(folder / "plane.h5"), None, show, frames=4, size=size, cut=cut)
    assert film.count == 4
    (run,) = experiment_of({}, "records", **SMALL).runs
    for frame in (0, 3):
        film.update(frame)
        title = film.figure._suptitle.get_text()
        step = int(title.split("step ")[1].split(":")[0].replace(",", ""))
        quality = made_up_record(run, step).quality
        assert f"test accuracy {quality['test_accuracy']:.3f}" in title
        bars = [
            bar.get_height()
            for axes in film.figure.axes
            for container in axes.containers
            for bar in container
        ]
        assert bars == pytest.approx(list(quality["test_accuracy_by_level"]))
        assert complaints(film.figure) == []
    assert step == run.steps


def test_regions_are_those_of_the_network(folder):
    one = snapshots_of(str(folder / "plane.h5"), None, "all")[-1]
    polygons, means = cut(one)
    found = partition(one.shape, one.params, (-1.0, 1.0, -1.0, 1.0))
    assert len(polygons) == len(means) == found.activation_regions
    x, y = (np.concatenate([polygon[:, i] for polygon in polygons]) for i in (0, 1))
    assert (x.min(), x.max(), y.min(), y.max()) == pytest.approx((-1, 1, -1, 1))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("final.h5", 1, "one record, which makes no film; train with --weights records"),
        ("none.h5", 1, "holds no weights, so there is no network to show"),
        ("none.h5 --run 5 --show levels", 2, "--run 5: there is no such run.*accepted: 0, 1"),
        ("cube.h5", 2, "at most 2 dimensions"),
        ("line.h5 --show regions", 2, "--show regions is for fractals in 2 dimensions"),
        ("plane.h5 --frames 1", 2, "--frames is 1; accepted is from 2 to 500"),
        ("plane.h5 --rate nan", 2, "--rate is nan"),
        ("plane.h5 --show weights", 2, "--show"),
    ],
)
def test_what_makes_no_film_is_refused(folder, monkeypatch, words, code, says):
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(plot, ["animate", *words.split(), "-o", "a.gif"])
    assert done.exit_code == code, done.output
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("Error"))
    assert re.search(says, line), line
    assert not (folder / "a.gif").exists()


def test_films_are_gifs(folder):
    done = CliRunner().invoke(plot, ["animate", str(folder / "plane.h5"), "-o", "a.png"])
    assert done.exit_code == 2
    assert "'.png' is no format of a film; accepted: .gif" in done.output
