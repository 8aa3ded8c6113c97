"""A study: a question that is no training, or that asks around trainings, *declared*.

From one declaration follow the command and its options, FRACSIM_* variables, ``--json`` and
``--from``, the file with its schema and attributes, the command of ``fracsim-plot``, the jobs of
``fracsim warmup`` and ``fracsim doctor``, and the row in docs/studies/README.md, which says how to
add one. Nothing heavy is imported here, nor by any declaration: what needs NumPy is named
"module:function" and imported when it is called."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

from fracsim.data.schema import StudyFormat, Variable
from fracsim.errors import UsageError
from fracsim.values.arguments import Place, Table, door
from fracsim.values.settings import Setting, make_settings, settings_of

if TYPE_CHECKING:
    import numpy as np

    from fracsim.data.studies import StudyContents
    from fracsim.fractals.fractal import Fractal

DEFINITION = "fractal_definition"
"""A field of settings beside ``fractal`` that is no setting: its maps (JSON of ``Fractal.to_dict``)
from the file that --from names, so that a study can be run again when the fractal's own file has
gone."""


class OnProgress(Protocol):
    """What ``compute`` tells how far it is; cheap, may be called often, from one thread."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def silent(done: int, total: int, note: str = "") -> None:
    """Tells nobody."""


class Result:
    """What ``compute`` returns: the base of each study's own class."""

    notes: Sequence[str] = ()
    """What must be said beside the numbers, as sentences; files, JSON and figures say them too."""
    form: str = ""
    """Which of the study's forms it is."""

    def arrays(self) -> dict[str, np.ndarray]:
        """The variables of the file, by the names declared; those of which there is nothing to say
        are left out."""
        raise NotImplementedError

    def attributes(self) -> dict[str, str | int | float]:
        """What else the file says: numbers and texts."""
        return {}

    def words(self) -> list[str]:
        """The result for people, as lines; the first says what it is about."""
        raise NotImplementedError

    def summary(self) -> dict[str, Any]:
        """The object of ``--json``, where it is not simply attributes and arrays."""
        facts = {key: value for key, value in self.attributes().items() if key != DEFINITION}
        return {**facts, **self.arrays()}


@dataclass(frozen=True, eq=False)
class Drawing:
    """The figure of a study: what ``fracsim-plot NAME`` draws from its files."""

    function: str
    """"module:function": (study, …, title, size) -> Figure. Its first argument is what the file
    holds (``StudyContents``), a list of that where ``most`` > 1; its second, where it takes
    ``trajectories``, their ``Runs``."""
    about: str
    """One line for the list of commands and the table of docs/studies/README.md."""
    help: str = ""
    """What ``--help`` says after that line."""
    example: tuple[str, ...] = ()
    most: int = 1
    """Files that one figure can hold."""
    trajectories: bool = False
    """Whether trajectory files given beside the study's own are drawn into it."""
    alone: bool = False
    """Whether trajectory files are enough, without any of the study's own."""


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """One declaration. Its command is ``fracsim NAME``."""

    name: str
    about: str
    """One line for the list of commands and the table of docs/studies/README.md."""
    settings: type
    """A frozen dataclass of ``setting(...)`` fields (fracsim/values/settings.py); its
    ``validate()``, if it has one, raises UsageError for values that do not fit together."""
    variables: tuple[Variable, ...]
    compute: str
    """"module:function": (settings, progress: OnProgress) -> Result"""
    example: tuple[str, ...]
    help: str = ""
    """What ``--help`` says, where that is more than one line: paragraphs."""
    figure: Drawing | None = None
    kind: str = ""
    """What its files are called, where that is not its name."""
    forms: Mapping[str, tuple[str, ...]] | None = None
    """Name of a form -> the variables that a file of this form always has."""
    needs_output: bool = False
    """Whether the command wants --output."""
    unit: str = "parts"
    """What ``progress`` counts."""
    warmup: tuple[Mapping[str, Any], ...] = ()
    """Settings of small runs that together call every kernel of the study with every type."""
    checks: str = ""
    """"module:function": () -> (name, deviation, accepted) of checks for ``fracsim doctor``."""

    def __repr__(self) -> str:
        return f"<Study {self.name}: {self.about}>"

    @cached_property
    def format(self) -> StudyFormat:
        """What its files hold."""
        return StudyFormat(self.kind or self.name, self.variables, self.forms or {})

    @cached_property
    def keys(self) -> dict[str, Setting]:
        """Key -> what it accepts."""
        return settings_of(self.settings)

    def run(self, progress: OnProgress = silent, **values: Any) -> Result:
        """Compute with the settings given as ``key=value``. Raises what the study raises."""
        return self.result(make_settings(self.settings, values), progress)

    def result(self, settings: Any, progress: OnProgress = silent) -> Result:
        """Compute with made settings."""
        result: Result = load(self.compute)(settings, progress)
        return result

    def write(
        self, path: str | os.PathLike[str], settings: Any, result: Result, command: str = ""
    ) -> None:
        """Keep a result, and the settings it is of, in a file. Raises FileError."""
        from fracsim.data.provenance import provenance
        from fracsim.data.studies import write_study

        said = {
            "settings": json.dumps(self.kept(settings)),
            **({"notes": json.dumps(list(result.notes))} if result.notes else {}),
            **provenance(command),
        }
        attributes = {**result.attributes(), **said}
        write_study(path, self.format, result.arrays(), attributes, result.form)

    def kept(self, settings: Any) -> dict[str, Any]:
        """The settings that a file keeps: key -> value, as JSON has it."""
        return {key: getattr(settings, key) for key, accepts in self.keys.items() if accepts.kept}

    def read(self, path: str | os.PathLike[str]) -> StudyContents:
        """A file of this study. Raises FileError."""
        from fracsim.data.studies import read_study

        return read_study(path, self.format)

    @door(given=Table(), path=Place())
    def make(self, given: Mapping[str, Any], path: str | os.PathLike[str] | None = None) -> Any:
        """Checked settings from those given (key -> value or text), the others as in the study's
        file at ``path``, else their defaults. Raises UsageError, FileError."""
        if path is None:
            return make_settings(self.settings, given)
        stored, definition = self._stored(path)
        replaced = {key for name in given if name in self.keys for key in self.keys[name].excludes}
        kept = {key: value for key, value in stored.items() if key not in replaced}
        settings: Any = make_settings(self.settings, {**kept, **given})
        if definition is None or "fractal" in given or not hasattr(settings, DEFINITION):
            return settings
        return dataclasses.replace(settings, **{DEFINITION: definition})

    def _stored(self, path: str | os.PathLike[str]) -> tuple[dict[str, Any], str | None]:
        """The settings that a file was made with, and the maps of its fractal. Raises FileError:
        the file does not say, or says what is none of this study's."""
        from fracsim.data.errors import FileError, printable

        facts = self.read(path).attributes
        if "settings" not in facts:
            raise FileError(
                f"'{os.fspath(path)}' does not say with which settings it was made, as files of "
                "version 0.1.0 do not"
            )
        try:
            values: dict[str, Any] = dict(json.loads(str(facts["settings"])))
            settings = {key: value for key, value in values.items() if value is not None}
            make_settings(self.settings, settings)
        except (ValueError, TypeError, RecursionError) as error:
            why = str(error) if isinstance(error, UsageError) else "they are no JSON object"
            raise FileError(
                f"'{os.fspath(path)}' does not hold settings of `fracsim {self.name}`: "
                f"{printable(why)}"
            ) from None
        definition = facts.get(DEFINITION)
        return settings, None if definition is None else str(definition)

    def jobs(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """(name, work) for ``fracsim warmup``."""
        for number, values in enumerate(self.warmup):
            name = self.name if len(self.warmup) == 1 else f"{self.name} {number + 1}"
            yield name, partial(self.run, **values)

    def run_checks(self) -> Iterator[tuple[str, float, float]]:
        """(name, deviation, accepted) for ``fracsim doctor``; nothing where none are declared."""
        if self.checks:
            yield from load(self.checks)()


def load(name: str) -> Callable[..., Any]:
    """The function that "module:function" names."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def notes_of(contents: StudyContents) -> list[str]:
    """The notes that a study file keeps; none where it keeps something else under that name."""
    facts = contents.attributes
    try:
        found = json.loads(str(facts["notes"])) if "notes" in facts else [facts.get("note", "")]
    except (ValueError, RecursionError):
        return []
    return [str(note) for note in found if note] if isinstance(found, list) else []


def fractal_of(settings: Any) -> Fractal:
    """The fractal of settings that have ``fractal``: from DEFINITION where that is known, else by
    name or path. Raises UsageError."""
    from fracsim.fractals.fractal import Fractal, load_fractal

    definition = getattr(settings, DEFINITION, None)
    if definition is None:
        return load_fractal(settings.fractal)
    try:
        return Fractal.from_dict(json.loads(definition))
    except (ValueError, TypeError, RecursionError) as error:
        why = error if isinstance(error, UsageError) else "it is no table of maps"
        raise UsageError(f"the fractal that the file defines is refused: {why}") from error
