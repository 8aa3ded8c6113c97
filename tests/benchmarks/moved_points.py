"""Which runs of a trajectory file have been trained or tested on a point that an older version drew
otherwise, for same_bits.py: only their bits may differ.

Since files of points_version 2, a point that rounding to float32 moves to another cell is drawn
again. All other points are what they were."""

import dataclasses
from pathlib import Path

import h5py
import numpy as np

from fracsim.data.reader import open_trajectory
from fracsim.experiments.experiment import Experiment
from fracsim.kernels.points.sample import sample
from fracsim.kernels.random.philox import STREAM, TEST, TRAIN
from fracsim.training.run import Run, problem_of


def moved_points(path: Path) -> dict[int, int]:
    """Number of a run -> how many of its points are drawn again, for the runs with such points; of
    a file that is no trajectory, none."""
    with h5py.File(path, "r", locking=False) as file:
        if file.attrs.get("format") != "fracsim-trajectory":
            return {}
    trajectory = open_trajectory(path)
    runs = Experiment.from_json(str(trajectory.attributes["experiment"])).runs
    found = {int(number): _moved(runs[number]) for number in trajectory.numbers}
    return {number: count for number, count in found.items() if count}


def _moved(run: Run) -> int:
    older = dataclasses.replace(run, old_points=True)
    pairs = [(TEST, run.test_points), (TRAIN, run.train_points)][: 1 + (run.data == "dataset")]
    count = 0
    for purpose, points in pairs:
        now, before = (problem_of(one).points(run.seed, purpose, 0, points) for one in (run, older))
        count += int((now.x != before.x).any(axis=1).sum())
    if run.data == "stream":
        drawn = [
            sample(
                *problem_of(one).source("stream"), run.seed, STREAM, 0, run.steps * run.batch_size
            )
            for one in (run, older)
        ]
        now, before = (x.astype(np.dtype(run.precision)) for x, _, _ in drawn)
        count += int((now != before).any(axis=1).sum())
    return count
