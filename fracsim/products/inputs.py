"""No command may write over what it reads: an output that is one of its inputs would destroy it,
and the same command could never be given again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fracsim.errors import UsageError
from fracsim.fractals.fractal import fractal_path

_BESIDE = ("{}.checkpoint", "{}.checkpoint.previous", "{}.lock", ".{}.part")
"""What fracsim writes beside a file while it makes it; as in ``fracsim.data``."""


def refuse_inputs(output: str | os.PathLike[str], inputs: Iterable[tuple[str, str]]) -> None:
    """Raise UsageError where the output, or what is written beside it, is one of the inputs, (what
    it is, path), by whatever name or link."""
    target = Path(os.path.realpath(output))
    beside = [target.with_name(name.format(target.name)) for name in _BESIDE] if target.name else []
    written = {found for path in (target, *beside) if (found := _file(path)) is not None}
    for what, path in inputs if written else ():
        if _file(path) in written:
            raise UsageError(
                f"the output {os.fspath(output)} is {what}, which would be lost; give another "
                f"--output"
            )


def named_files(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """("a file to read", path) of every text among the values of a command, or in a tuple of them,
    that may be the name of a file or of a fractal's."""
    for value in values.values():
        if isinstance(value, tuple):
            yield from named_files({str(i): one for i, one in enumerate(value)})
        elif isinstance(value, (str, os.PathLike)):
            text = os.fspath(value)
            path = fractal_path(text)
            yield from (("a file to read", one) for one in {text, str(path or text)})


def _file(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """What a file is on its machine, equal for all its names; None where there is none."""
    try:
        info = os.stat(path)
    except (OSError, ValueError):
        return None
    return info.st_dev, info.st_ino
