"""The problems there are. A new one is one file beside this, its class in ``PROBLEMS`` and its keys
among the bases of ``ProblemKeys``."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fracsim.errors import UsageError
from fracsim.problems.fractal import FractalKeys, FractalProblem
from fracsim.problems.images import ImagesKeys, ImagesProblem
from fracsim.problems.problem import Problem, own_keys
from fracsim.problems.product import ProductKeys, ProductProblem
from fracsim.problems.radial import RadialKeys, RadialProblem
from fracsim.problems.radial_fractal import RadialFractalKeys, RadialFractalProblem
from fracsim.problems.table import TableKeys, TableProblem
from fracsim.problems.teacher import TeacherKeys, TeacherProblem
from fracsim.values.settings import label, setting

PROBLEMS: dict[str, type[Problem]] = {
    kind.name: kind
    for kind in (
        FractalProblem,
        RadialProblem,
        TableProblem,
        ProductProblem,
        RadialFractalProblem,
        TeacherProblem,
        ImagesProblem,
    )
}
"""Name -> kind of problem; the first is the default."""


@dataclass(frozen=True)
class _Named:
    problem: str = setting("fractal", "what is learnt", str, choices=tuple(PROBLEMS))


@dataclass(frozen=True)
class ProblemKeys(  # the last come first in tables
    ImagesKeys,
    TeacherKeys,
    RadialFractalKeys,
    ProductKeys,
    TableKeys,
    RadialKeys,
    FractalKeys,
    _Named,
):
    """The keys of all problems; a run uses those of its own, and the others keep their defaults.

    ``problem_facts`` is no setting: it holds what is known of the file that the problem reads (JSON
    of ``Problem.look``), once an experiment is resolved. Neither is ``old_points``: whether points
    are those of files of points_version 1, rounded after their level was found."""

    problem_facts: str | None = None
    old_points: bool = False


PROBLEM_KEYS: dict[str, str] = {
    key: kind.name for kind in PROBLEMS.values() for key in own_keys(kind)
}
"""Key -> the problem that declares it."""


DESCRIBED = tuple(
    dict.fromkeys(("problem", *(key for kind in PROBLEMS.values() for key in kind.described)))
)
"""The keys that a problem's name in a title tells."""


def foreign_keys(problem: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of other problems that are no settings of this one, too."""
    return _others(PROBLEMS[problem].keys(settings))


@functools.cache
def _others(taken: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in PROBLEM_KEYS if key not in taken)


def refuse_foreign(key: str, problem: str) -> UsageError:
    """The error for a key of another problem."""
    return UsageError(
        f"{label(key)} is a key of problem {PROBLEM_KEYS[key]}; {label('problem')} is {problem} "
        f"here"
    )
