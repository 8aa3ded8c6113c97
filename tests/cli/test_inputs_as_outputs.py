"""No command writes over what it reads, by whatever name the two are given."""

import os

import pytest
from command_line import fracsim, run_group

SHORT = ("--fractal-depth", 2, "--steps", 100, "--record-every", 100)
SHORT = (*SHORT, "--train-points", 100, "--test-points", 50)
TRAINED = (*SHORT, "--depth", 1, "--width", 4)
START = ("--fractal", "cantor1d", *SHORT)
MINE = 'gap = "complement"\n[[map]]\nscale = "1/3"\noffset = [-0.6]\n[[map]]\nscale = "1/3"\n' + (
    "offset = [0.6]\n"
)
EXPERIMENT = (
    "fractal_depth = 2\nsteps = 100\nrecord_every = 100\ntrain_points = 100\ntest_points = 50\n"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One file of each kind that a command reads, by its name."""
    import numpy as np

    folder = tmp_path_factory.mktemp("inputs")
    calls = {
        "net.h5": ("construct", "cantor1d", "--fractal-depth", 2),
        "run.h5": ("train", *TRAINED, "--fractal", "cantor1d"),
        "points.h5": ("sample", "cantor1d", "--fractal-depth", 2, "--count", 100),
        "study.h5": ("bounds", "cantor1d", "--fractal-depth", 3),
    }
    for name, call in calls.items():
        result = fracsim(*call, "-o", folder / name, "-q")
        assert result.code == 0, result.err
    (folder / "mine.toml").write_text(MINE)
    (folder / "experiment.toml").write_text(EXPERIMENT)
    rng = np.random.default_rng(0)
    np.savez(folder / "table.npz", x=rng.normal(size=(200, 2)), y=rng.integers(0, 2, 200))
    return folder


READS = {
    "train --init-from": ("net.h5", ("train", "--init-from", "{}", *START)),
    "train --fractal": ("mine.toml", ("train", "--fractal", "{}", *TRAINED)),
    "train --fractal path:d": ("mine.toml", ("train", "--fractal", "{}:1", *TRAINED)),
    "train --table": ("table.npz", ("train", "--problem", "table", "--table", "{}", *TRAINED[2:6])),
    "train --teacher": (
        "net.h5",
        ("train", "--problem", "teacher", "--teacher", "{}", "--loss", "squared", *START),
    ),
    "sweep FILE": ("experiment.toml", ("sweep", "{}")),
    "sweep --from": ("run.h5", ("sweep", "--from", "{}")),
    "sweep --from, changed": ("run.h5", ("sweep", "--from", "{}", "--seed", 1)),
    "sweep --set init_from": (
        "net.h5",
        ("sweep", "experiment.toml", "--set", "init_from={}", "--set", "fractal=cantor1d"),
    ),
    "sample": ("mine.toml", ("sample", "{}", "--fractal-depth", 2)),
    "construct": ("mine.toml", ("construct", "{}", "--fractal-depth", 2)),
    "bounds --from": ("study.h5", ("bounds", "cantor1d", "--from", "{}")),
    "bounds": ("mine.toml", ("bounds", "{}", "--fractal-depth", 3)),
    "regions": ("run.h5", ("regions", "{}")),
    "lengths": ("run.h5", ("lengths", "{}")),
    "export": ("run.h5", ("export", "{}")),
    "merge": ("run.h5", ("merge", "{}")),
}


def ways(path):
    """The file under its own name, through links, and by a way around."""
    soft, hard = path.with_name("soft"), path.with_name("hard")
    for link in (soft, hard):
        link.unlink(missing_ok=True)
    soft.symlink_to(path.name)
    os.link(path, hard)
    return [path, soft, hard, path.parent / "." / ".." / path.parent.name / path.name]


@pytest.mark.parametrize("case", READS)
def test_an_output_that_is_an_input_is_refused_and_left_as_it_is(made, case):
    name, call = READS[case]
    path = made / name
    content = path.read_bytes()
    for output in ways(path):
        words = [str(word).replace("{}", str(path)) for word in call]
        words = [str(made / word) if word == "experiment.toml" else word for word in words]
        result = fracsim(*words, "-o", output, "--overwrite")
        assert (result.code, result.out) == (2, ""), result
        assert "would be lost; give another --output" in result.sentence, result
        assert path.read_bytes() == content


@pytest.mark.parametrize("words", [("training",), ("decision",), ("bounds",), ("fractal",)])
def test_a_figure_replaces_none_of_its_inputs(made, words):
    from fracsim.cli.plot import command

    path = made / {"bounds": "study.h5", "fractal": "mine.toml"}.get(words[0], "run.h5")
    content, figure = path.read_bytes(), made / "figure.png"
    for make in (figure.symlink_to, lambda target: os.link(target, figure)):
        make(path)
        result = run_group(command, "fracsim-plot", *words, path, "-o", figure)
        assert (result.code, "would be lost" in result.sentence) == (2, True)
        assert path.read_bytes() == content
        figure.unlink()


def test_what_is_written_beside_an_output_is_no_input_either(made):
    beside = made / "other.h5.checkpoint"
    beside.write_bytes((made / "net.h5").read_bytes())
    result = fracsim("train", "--init-from", beside, *START, "-o", made / "other.h5")
    assert (result.code, "would be lost" in result.sentence) == (2, True)


def test_the_file_of_from_may_be_continued_and_an_array_job_writes_over_no_input(made):
    assert fracsim("sweep", "--from", made / "run.h5", "-o", made / "run.h5").code == 0
    os.link(made / "run.h5", made / "job-0.h5")
    call = ("slurm-script", "--from", made / "run.h5", "--shards", 1, "--time", "1:00:00")
    result = fracsim(*call, "-o", made / "job")
    assert (result.code, "would be lost" in result.sentence) == (2, True)
