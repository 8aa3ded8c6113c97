"""The studies there are, one line for each. Neither this list nor any declaration imports anything
heavy, so that ``--help`` answers at once; a declaration is read when it is asked for."""

from __future__ import annotations

from collections import UserDict
from collections.abc import MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    from fracsim.data.schema import StudyFormat
    from fracsim.data.studies import StudyContents
    from fracsim.studies.study import Study


class _Studies(UserDict[str, Any]):
    """Name of the command -> ``STUDY`` of the ``declaration`` in the folder of that name."""

    def __init__(self, *folders: str) -> None:
        super().__init__({folder.replace("_", "-"): folder for folder in folders})

    def __getitem__(self, name: str) -> Study:
        found = self.data[name]
        if isinstance(found, str):
            found = self.data[name] = import_module(f"{__name__}.{found}.declaration").STUDY
        study: Study = found
        return study

    def __repr__(self) -> str:
        return repr(dict(self))


STUDIES: MutableMapping[str, Study] = _Studies(
    "construct",
    "bounds",
    "gradient",
    "regions",
    "meanfield",
    "lengths",
    "moments",
    "multiply",
    "radial",
    "distil",
    "kernel_spectrum",
    "kernel_learning",
    "ntk",
    "quantise",
    "shallow",
    "landscape",
    "conjecture",
)
"""Name of its command -> declaration, in the order of the help."""


def formats() -> tuple[StudyFormat, ...]:
    """What the files of all studies hold, for those who read any of them."""
    return tuple({study.format.kind: study.format for study in STUDIES.values()}.values())


def open_study(path: str | os.PathLike[str], kind: str | None = None) -> StudyContents:
    """Read a file of any study, or of one kind only: its ``arrays`` by name, its ``attributes``,
    its ``kind`` and ``form``.

    Raises UsageError for a kind that there is not; FileError, one sentence, for whatever is wrong
    with the file, or if it is of another kind."""
    from fracsim.data.studies import read_study
    from fracsim.errors import UsageError, nearest
    from fracsim.values.arguments import Text

    if kind is not None:
        kind = Text().read("kind", kind, {})

    known = {format.kind: format for format in formats()}
    if kind is not None and kind not in known:
        raise UsageError(f"unknown kind of study '{kind}'{nearest(kind, known)}")
    return read_study(path, *(known.values() if kind is None else [known[kind]]))
