"""Everything a writer asks of the operating system, as a log that can be replayed up to any point,
or made to fail."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class State(NamedTuple):
    """A folder after a crash: how many calls were finished, and the bytes of each file by name."""

    finished: int
    files: dict[str, bytes]


class WriteLog:
    """Records the calls that change files, from its creation on."""

    def __init__(self, monkeypatch: Any) -> None:
        self.calls: list[tuple] = []
        keep = {
            name: getattr(os, name) for name in ("open", "pwrite", "ftruncate", "replace", "unlink")
        }

        def opened(path: Any, flags: int, *more: Any) -> int:
            fd = keep["open"](path, flags, *more)
            if flags & os.O_CREAT:
                self.calls.append(("create", os.fstat(fd).st_ino, Path(path).name))
            return fd

        def written(fd: int, data: Any, offset: int) -> int:
            self.calls.append(("write", os.fstat(fd).st_ino, offset, bytes(data)))
            return keep["pwrite"](fd, data, offset)

        def cut(fd: int, size: int) -> None:
            self.calls.append(("cut", os.fstat(fd).st_ino, size))
            keep["ftruncate"](fd, size)

        def renamed(source: Any, target: Any) -> None:
            self.calls.append(("rename", Path(source).name, Path(target).name))
            keep["replace"](source, target)

        for name, function in {
            "open": opened,
            "pwrite": written,
            "ftruncate": cut,
            "replace": renamed,
        }.items():
            monkeypatch.setattr(os, name, function)

    def states(self) -> Iterator[State]:
        """The folder before the first call and after each; a write is also shown torn in half."""
        contents: dict[int, bytearray] = {}
        names: dict[str, int] = {}

        def state(finished: int) -> State:
            return State(finished, {name: bytes(contents[node]) for name, node in names.items()})

        yield state(0)
        for i, (kind, *what) in enumerate(self.calls):
            if kind == "create":
                contents[what[0]], names[what[1]] = bytearray(), what[0]
            elif kind == "cut":
                content = contents[what[0]]
                content[:] = content[: what[1]].ljust(what[1], b"\0")
            elif kind == "rename":
                names[what[1]] = names.pop(what[0])
            else:
                for end in (len(what[2]) // 2, len(what[2])):
                    _put(contents[what[0]], what[1], what[2][:end])
                    if end < len(what[2]):
                        yield state(i)
            yield state(i + 1)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data
