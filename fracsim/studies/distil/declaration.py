"""``fracsim distil``: what a sweep of students says of imitation, beside its controls."""

from __future__ import annotations

from dataclasses import dataclass

from fracsim.data.schema import Variable
from fracsim.studies.study import Drawing, Study
from fracsim.values.settings import REQUIRED, setting


@dataclass(frozen=True)
class Settings:
    """Which students."""

    students: str = setting(
        REQUIRED, "trajectory file of students and controls", str, argument=True
    )
    pieces_points: int = setting(
        1000,
        "points on which the best continuous or broken line of a student's pieces is sought, d = 1",
        int,
        low=50,
        high=5000,
    )


def _of_students(name: str, about: str, dtype: str = "<f8") -> Variable:
    return Variable(name, ("student",), dtype, "1", about)


VARIABLES = (
    _of_students("method", "how it is taught: by labels, or by a teacher", "str"),
    _of_students("teachers", "networks whose mean is imitated; 0 for labels", "<i8"),
    _of_students("network_depth", "hidden layers T of the student", "<i8"),
    _of_students("width", "width k of each hidden layer, or 100-20-100", "str"),
    _of_students("train_points", "training points", "<i8"),
    _of_students("learning_rate", "the rate with the best mean accuracy over the seeds"),
    _of_students("seeds", "runs at that rate", "<i8"),
    _of_students("accuracy", "best test accuracy over the records, mean over the seeds"),
    _of_students("least", "the least of the seeds"),
    _of_students("greatest", "the greatest of the seeds"),
    _of_students("deviation", "standard deviation over the seeds (NaN: one seed)"),
    _of_students("agreement", "agreement with the teacher's signs, mean (NaN: labels)"),
    _of_students("r2", "R2 of the teacher's outputs, mean (NaN: labels)"),
    _of_students("ceiling", "exact greatest accuracy of the student's sign changes (NaN: d > 1)"),
    _of_students("r2_ceiling", "greatest R2 of so many broken lines (NaN: d > 1, or labels)"),
)

STUDY = Study(
    name="distil",
    about="Compare students of a deep network with the same networks taught by labels.",
    help="""Summarise STUDENTS, a trajectory file of 'fracsim sweep distil-cantor3' or another with
    runs of problem teacher: accuracy by method, size and training set, at the best rate, with the
    spread over seeds (Ba & Caruana 2014).

    The gain of imitation is told against both controls, the hinge and the squared loss on labels,
    seed by seed. In one dimension the exact ceiling of the student's sign changes, and of R², stand
    beside.""",
    settings=Settings,
    variables=VARIABLES,
    compute="fracsim.studies.distil.compute:compute",
    example=(
        "fracsim sweep distil-teachers --quick -o teachers.h5",
        "fracsim sweep distil-cantor3 --quick --set teacher=teachers.h5 -o d.h5",
        "fracsim distil d.h5",
    ),
    figure=Drawing(
        "fracsim.studies.distil.figure:draw",
        "Accuracy of students by method, beside their controls.",
        """From trajectory files of students, or from files of 'fracsim distil'.""",
        ("fracsim-plot distil d.h5 -o d.png",),
        most=6,
        trajectories=True,
        alone=True,
    ),
    unit="students",
)
