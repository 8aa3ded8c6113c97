"""What same_bits.py has two revisions do: ten small experiments, the studies, and a sample.

Only words that older revisions know, too: a new option or key belongs into its own tests."""

from collections.abc import Callable
from typing import NamedTuple

from revisions import Revision

COMMON = """
fractal_depth = 3
steps = 400
record_every = 100
train_points = 1000
test_points = 500
batch_size = 20
"""


class Case(NamedTuple):
    """Commands whose files are compared."""

    name: str
    files: tuple[str, ...]
    do: Callable[[Revision], None]


def swept(name: str, toml: str) -> Case:
    """A sweep of an experiment's file."""

    def do(revision: Revision) -> None:
        revision.run("sweep", *_written(revision, name, toml))

    return Case(name, (f"{name}.h5",), do)


def stopped(name: str, toml: str) -> Case:
    """A sweep that is stopped by a signal and continued."""

    def do(revision: Revision) -> None:
        options = ("--checkpoint-every", "1", "--threads", "2")
        arguments = (*_written(revision, name, toml), *options)
        revision.run_stopped(f"{name}.h5", "sweep", *arguments)

    return Case(name, (f"{name}.h5",), do)


def sharded(name: str, toml: str, parts: int) -> Case:
    """A sweep in shards, which are merged."""
    files = tuple(f"{name}-{part}.h5" for part in range(parts))

    def do(revision: Revision) -> None:
        experiment, *_ = _written(revision, name, toml)
        for part, file in enumerate(files):
            revision.run("sweep", experiment, "-q", "--shard", f"{part}/{parts}", "-o", file)
        revision.run("merge", *files, "-o", f"{name}.h5")

    return Case(name, (*files, f"{name}.h5"), do)


def started(name: str, toml: str) -> Case:
    """A training, and a sweep that starts from its network."""

    def do(revision: Revision) -> None:
        small = "--fractal-depth 3 --depth 2 --width 17 --steps 100 --record-every 50 --seed 5"
        points = "--train-points 500 --test-points 500 --batch-size 10"
        kept = ("--weights", "records", "-q", "-o", "first.h5")
        revision.run("train", *small.split(), *points.split(), *kept)
        revision.run("sweep", *_written(revision, name, toml))

    return Case(name, ("first.h5", f"{name}.h5"), do)


def study(name: str, *commands: str) -> Case:
    """Commands that write a file each, as COMMAND -o NAME-i.h5."""
    files = tuple(f"{name}-{i}.h5" for i in range(len(commands)))

    def do(revision: Revision) -> None:
        for command, file in zip(commands, files, strict=True):
            revision.run(*command.split(), "-q", "-o", file)

    return Case(name, files, do)


def _written(revision: Revision, name: str, toml: str) -> tuple[str, ...]:
    """The arguments of a sweep of this experiment, whose file is written first."""
    lines = toml.strip().splitlines()
    given = {line.partition("=")[0].strip() for line in lines}
    common = [line for line in COMMON.split("\n") if line.partition("=")[0].strip() not in given]
    (revision.results / f"{name}.toml").write_text("\n".join(common + lines) + "\n")
    return f"{name}.toml", "-q", "-o", f"{name}.h5"


TRAINED = (
    "train --fractal-depth 3 --depth 3 --width 12 --steps 600 --record-every 200 "
    "--train-points 2000 --test-points 500 --weights records --seed 3"
)

CASES = (
    swept(
        "dataset-adam",
        """
        weights = "records"
        schedule = "cosine"
        [grid]
        network_depth = [0, 1, 4]
        width = [1, 10, 33]
        seed = [0, 7]
        """,
    ),
    swept(
        "dataset-momentum-float64",
        """
        fractal = "vicsek"
        precision = "float64"
        optimizer = "momentum"
        loss = "squared"
        learning_rate = 0.01
        schedule = "step"
        schedule_period = 150
        schedule_decay = 0.3
        curve = "polynomial:2"
        negative_margin = 0.1
        weights = "final"
        [grid]
        network_depth = [1, 3]
        width = [8, 21]
        """,
    ),
    swept(
        "dataset-sgd",
        """
        fractal = "sierpinski"
        optimizer = "sgd"
        loss = "logistic"
        initialisation = "he"
        learning_rate = 0.05
        batch_size = 7
        weights = "records"
        [grid]
        network_depth = [2, 5]
        width = [5, 64, 100]
        """,
    ),
    swept(
        "stream-adam",
        """
        fractal = "pentaflake"
        data = "stream"
        curve = 4
        positive_margin = 0.05
        weights = "records"
        [grid]
        network_depth = [1, 3]
        width = [10, 50]
        loss = ["hinge", "logistic"]
        """,
    ),
    swept(
        "stream-sgd-float64",
        """
        data = "stream"
        precision = "float64"
        optimizer = "sgd"
        loss = "squared"
        schedule = "cosine"
        schedule_period = 300
        initialisation = "glorot"
        gap = "centre"
        [grid]
        network_depth = [2, 4]
        width = [9, 40]
        learning_rate = [0.01, 0.05]
        """,
    ),
    swept(
        "population-adam",
        """
        fractal = "cantor1d"
        data = "population"
        initialisation = "uniform"
        bias = 0.25
        curve = 3
        weights = "records"
        [grid]
        network_depth = [1, 3]
        width = [5, 16]
        seed = [0, 1]
        """,
    ),
    swept(
        "population-momentum-float64",
        """
        fractal = "cantor1d"
        data = "population"
        precision = "float64"
        optimizer = "momentum"
        learning_rate = 0.01
        initialisation = "he"
        schedule = "step"
        schedule_period = 100
        weights = "final"
        [grid]
        network_depth = [1, 2]
        width = [4, 12]
        """,
    ),
    stopped(
        "resumed",
        """
        data = "dataset"
        steps = 120_000
        record_every = 4_000
        schedule = "cosine"
        weights = "records"
        [grid]
        network_depth = [2, 3]
        width = [10, 20]
        optimizer = ["adam", "momentum"]
        """,
    ),
    sharded(
        "shards",
        """
        weights = "final"
        [grid]
        fractal_depth = [2, 3]
        network_depth = [1, 3]
        width = [6, 20]
        loss = ["hinge", "logistic"]
        """,
        parts=3,
    ),
    started(
        "init-from",
        """
        init_from = "first.h5"
        network_depth = 2
        width = 17
        weights = "records"
        [grid]
        optimizer = ["sgd", "momentum", "adam"]
        learning_rate = [0.001, 0.01]
        """,
    ),
    study(
        "construct",
        "construct cantor --fractal-depth 2 --count 20000",
        "construct vicsek --fractal-depth 3 --levels 2 --merge 2 --count 20000 --seed 4",
    ),
    study(
        "bounds",
        "bounds cantor --fractal-depth 5 --curve 2",
        "bounds cantor1d --fractal-depth 8 --curve 6 --depth 1:3 --width 10,100",
    ),
    study(
        "gradient",
        "gradient cantor1d --fractal-depth 10 --curve 6 --curve 1 --init he --bias-std 0.5 "
        "--draws 20",
        "gradient vicsek --fractal-depth 3 --init he --samples 5000 --draws 5",
    ),
    study(
        "regions-random",
        "regions --random --inputs 2 --depth 3 --width 16 --bias-std 0.5 --points 200",
        "regions --random --inputs 1 --depth 3 --width 16 --bias-std 0.5 --window -1,1",
        "regions --random --inputs 3 --depth 2 --width 16 --bias-std 0.5 --segment -1,-1,-1,1,1,1",
        "regions --random --inputs 5 --depth 3 --width 20 --bias-std 0.5 --lines 200 --points 200",
    ),
    study(
        "regions-trained",
        TRAINED,
        "regions regions-trained-0.h5 --points 200",
        "regions regions-trained-0.h5 --snapshot all --points 200",
    ),
    study("sample", "sample vicsek --fractal-depth 4 --curve 4 --count 20000 --seed 7"),
)
