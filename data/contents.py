"""A file of any kind, opened once."""

import os

from fracsim.data.reader import kind_of, load_trajectory
from fracsim.data.samples import Samples, load_samples
from fracsim.data.schema import StudyFormat
from fracsim.data.studies import StudyContents, load_study
from fracsim.data.trajectory import Trajectory
from fracsim.data.untrusted import opened


def open_any(
    path: str | os.PathLike[str], *studies: StudyFormat
) -> Trajectory | Samples | StudyContents:
    """What a file holds; `studies`: the formats of study files that are known. Raises FileError,
    one sentence, for whatever is wrong with it."""
    with opened(path) as file:
        kind = kind_of(file)
        if kind == "trajectory":
            return load_trajectory(file)
        return load_samples(file) if kind == "samples" else load_study(file, *studies)
