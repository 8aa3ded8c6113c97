"""The problem ``teacher``: to imitate a stored network, or the mean of several, where another
problem has its points (Ba & Caruana 2014).

Targets are the teacher's outputs before any sign is taken, standardised: (g(x) - μ) / σ. What
decides a run's numbers are the networks, not the files' names: as with ``init_from`` an experiment
pins them by their SHA-256."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from fracsim.errors import RunError, UsageError
from fracsim.problems.fractal import FractalProblem
from fracsim.problems.problem import Points, Problem, Resolution, own_keys
from fracsim.problems.product import ProductProblem
from fracsim.problems.radial import RadialProblem
from fracsim.problems.radial_fractal import RadialFractalProblem
from fracsim.values.settings import label, setting

if TYPE_CHECKING:
    import numpy as np

    from fracsim.networks.stored import StoredNetwork

_BASES: dict[str, type[Problem]] = {
    kind.name: kind
    for kind in (FractalProblem, RadialProblem, ProductProblem, RadialFractalProblem)
}
"""The problems that a teacher's points can be of."""

JOINT = "+"
"""Between the files of several teachers."""

REFERENCE = 10_000
"""Training points whose outputs give μ and σ: the first ones, so that targets do not depend on how
many there are."""

_FRESH = 2**40
"""Number of the first fresh point: no training set is that long."""
_CHUNK = 2**15
_PINNED = re.compile(r"(?P<path>.*?)#(?P<digest>[0-9a-f]{64})(?:\+|$)", re.DOTALL)


@dataclass(frozen=True)
class TeacherKeys:
    """The keys of an imitation."""

    teacher: str | None = setting(
        None,
        "file of a network to imitate; of several, repeated, the mean of their outputs",
        str,
        optional="none; problem teacher needs one",
        joined=JOINT,
    )
    points_of: str = setting(
        "fractal", "problem whose points a teacher is asked at", str, choices=tuple(_BASES)
    )
    transfer: str = setting(
        "fresh",
        "a student's training points: the teacher's own, fresh ones, or uniform ones on the "
        "fractal's base",
        str,
        choices=("training", "fresh", "uniform"),
    )


@dataclass(frozen=True)
class TeacherProblem(Problem):
    """Real labels, the standardised outputs of the teacher; groups are those of the points."""

    teacher: str
    transfer: str
    base: Problem
    precision: str
    facts: str
    """JSON of what ``look`` found."""

    name: ClassVar[str] = "teacher"
    declared: ClassVar[type] = TeacherKeys
    source_key: ClassVar[str] = "teacher"
    described: ClassVar[tuple[str, ...]] = ("points_of",)

    @classmethod
    def keys(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Its own, and those of the problem that has the points."""
        return (*own_keys(cls), *_base(settings).keys(settings))

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> TeacherProblem:
        """See ``Problem``."""
        text = settings["teacher"]
        if text is None:
            raise UsageError(
                f"{label('problem')} teacher needs a {label('teacher')}: a file of fracsim train, "
                f"sweep --weights final, construct, multiply or radial"
            )
        facts = settings["problem_facts"] or json.dumps(cls.look(text)[1])
        base = _base(settings).make(settings)
        return cls(text, settings["transfer"], base, settings["precision"], facts)

    @classmethod
    def look(cls, text: str) -> tuple[str, dict[str, Any]]:
        """Each file with the digest of its network, and what they have in common."""
        from fracsim.networks.start import pin

        found = [pin(one, "teacher") for one in files_of(text)]
        inputs = {network.shape.inputs for _, network in found}
        if len(inputs) > 1:
            sizes = " and ".join(map(str, sorted(inputs)))
            raise UsageError(
                f"{label('teacher')}: networks of {sizes} inputs have no mean; accepted are "
                f"networks of the same dimension"
            )
        return JOINT.join(name for name, _ in found), {
            "inputs": inputs.pop(),
            "teachers": len(found),
            "seed": found[0][1].seed,
        }

    @classmethod
    def complete(cls, settings: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
        """What the problem that has the points fills in."""
        return _base(settings).complete(settings, given)

    @classmethod
    def content_of(cls, key: str, value: Any) -> Any:
        """The digests of the teachers."""
        if key == "teacher" and value and (found := _PINNED.findall(value)):
            return JOINT.join(digest for _, digest in found)
        return value

    @classmethod
    def describe(cls, settings: Mapping[str, Any]) -> str:
        """Whose points the teacher is asked at."""
        return f"a teacher on {_base(settings).describe(settings)}"

    @property
    def inputs(self) -> int:
        """d"""
        return self.base.inputs

    @property
    def target(self) -> str:
        """Real, and beside them the classes that the teacher was taught, where it was."""
        return "mimic" if self.base.target == "class" else "real"

    @property
    def groups(self) -> int:
        """Those of the points."""
        return self.base.groups

    def identity(self) -> Hashable:
        """The networks, wherever they lie."""
        digests = self.content_of("teacher", self.teacher)
        return digests, self.transfer, self.base.identity(), self.precision

    def check(self, run: Mapping[str, Any]) -> None:
        """The teacher must take the points, and there must be such points."""
        self.base.check({**run, "data": "dataset"})
        known = json.loads(self.facts)
        if known["inputs"] != self.inputs:
            raise UsageError(
                f"{label('teacher')} has {known['inputs']} input(s), and the points of "
                f"{label('points_of')} {run['points_of']} have {self.inputs}; accepted is a "
                f"network of the same dimension"
            )
        if self.transfer == "uniform" and not isinstance(self.base, FractalProblem):
            raise UsageError(
                f"{label('transfer')} is uniform and {label('points_of')} {run['points_of']}; "
                f"accepted with it are training and fresh"
            )

    def resolution(self) -> Resolution | None:
        """That of the points."""
        return self.base.resolution()

    def points(
        self, seed: int, purpose: int, first: int, count: int, backend: Any = None
    ) -> Points:
        """The teacher is asked on the CPU, whatever trains the student."""
        import numpy as np

        found = self._places(seed, purpose, first, count, backend)
        mean, deviation = self.standard(seed)
        y = (self._outputs(found.x) - mean) / deviation
        return Points(found.x, y.astype(np.dtype(self.precision)), found.group)

    def standard(self, seed: int) -> tuple[float, float]:
        """μ and σ of the teacher's outputs on the first ``REFERENCE`` training points of a run with
        this seed. Raises RunError where they do not differ."""
        return _standard(self, seed)

    def truth(
        self, seed: int, purpose: int, first: int, count: int, backend: Any = None
    ) -> tuple[np.ndarray, float]:
        """The classes ±1 (N,) of the points, and where the standardised outputs pass the teacher's
        0: -μ / σ."""
        mean, deviation = self.standard(seed)
        return self._places(seed, purpose, first, count, backend).y, -mean / deviation

    def _places(self, seed: int, purpose: int, first: int, count: int, backend: Any) -> Points:
        from fracsim.kernels.random.philox import TRAIN

        if purpose != TRAIN:
            return self.base.points(seed, purpose, first, count, backend)
        if self.transfer == "uniform":
            return self._uniform(seed, first, count)
        if self.transfer == "training":
            own = json.loads(self.facts)["seed"]
            return self.base.points(seed if own is None else own, TRAIN, first, count, backend)
        return self.base.points(seed, TRAIN, _FRESH + first, count, backend)

    def _uniform(self, seed: int, first: int, count: int) -> Points:
        import numpy as np

        from fracsim.kernels.points.product import fill_cube
        from fracsim.kernels.random.philox import TRAIN

        assert isinstance(self.base, FractalProblem)
        x, low = np.empty((count, self.inputs)), self.base.keyed.load_fractal().low
        fill_cube(np.uint64(seed), TRAIN, np.uint64(first), 1.0, x)
        x = (1 + low + (1 - low) * x) / 2
        nothing = np.zeros(count)  # nobody asks for the classes of training points
        return Points(x.astype(self.precision), nothing, nothing.astype(np.int16))

    def _outputs(self, x: np.ndarray) -> np.ndarray:
        """Mean of the teachers' outputs (N,) float64 at x (N, d), some points at a time."""
        import numpy as np

        from fracsim.kernels.backend import get_backend

        backend, only = get_backend("cpu"), np.zeros(1, np.int64)
        networks, total = _networks(self.teacher), np.zeros(len(x))
        for network in networks:
            for first in range(0, len(x), _CHUNK):
                part = slice(first, first + _CHUNK)
                places = np.ascontiguousarray(x[part], network.params.dtype)
                scores = backend.forward(network.shape, network.params[None], places[None], only)
                total[part] += scores[0]
        return total / len(networks)


def files_of(text: str) -> list[str]:
    """The files of a value of ``teacher``, each with its digest where it is pinned. A name that has
    the joint in it is taken whole where there is such a file."""
    if found := [match[0].removesuffix(JOINT) for match in _PINNED.finditer(text)]:
        return found
    return [text] if os.path.exists(text) else text.split(JOINT)


def _base(settings: Mapping[str, Any]) -> type[Problem]:
    return _BASES.get(str(settings.get("points_of", TeacherKeys.points_of)), FractalProblem)


@functools.lru_cache(maxsize=8)
def _networks(text: str) -> tuple[StoredNetwork, ...]:
    from fracsim.networks.start import pin

    return tuple(pin(one, "teacher")[1] for one in files_of(text))


@functools.lru_cache(maxsize=64)
def _standard(problem: TeacherProblem, seed: int) -> tuple[float, float]:
    from fracsim.kernels.random.philox import TRAIN

    outputs = problem._outputs(problem._places(seed, TRAIN, 0, REFERENCE, None).x)
    from fracsim.kernels.norms import deviation

    mean, spread = float(outputs.mean()), float(deviation(outputs))
    if not 0 < spread < float("inf"):
        raise RunError(
            f"{label('teacher')}: its outputs are all {mean:g}, so that there is nothing to imitate"
        )
    return mean, spread
