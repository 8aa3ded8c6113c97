"""The journal of an unfinished file: checksums of all that it holds, after the HDF5 data.

    b"fracsim-journal\\n", journal version, length of the HDF5 data, length of the header
    header (JSON), SHA-256 of all of this
    two slots, which commits fill in turn: counters and states of all runs, CRC-32
    CRC-32 of every record (R, S), then of every snapshot of weights, group by group

The header says which bytes of the HDF5 data change (``live``: dataset -> offset and length, and the
attribute ``status``) and holds the SHA-256 of all others, so that libhdf5 never sees a damaged
structure. A commit writes records and their checksums, waits for the disk, writes the slot that the
commit before left, waits again, then raises HDF5's own counters: the newest slot that is whole is
what counts, and the counters lie between it and the one before."""

import hashlib
import json
import struct
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fracsim.data.atomic import read_at, write_at
from fracsim.data.errors import FileError

MAGIC = b"fracsim-journal\n"
VERSION = 1
STATUS_BYTES = 16
_HEAD = struct.Struct("<16sQQQ")
_DIGEST = 32
_MOST_HEADER = 1 << 24
_BLOCK = 1 << 22
_TRIES = 1000  # of reading a file between two commits
_PAUSE = 0.01  # seconds between them


class State(NamedTuple):
    """What a commit made valid: its number, then records (R,), codes of states (R,), and snapshots
    of each weights group."""

    number: int
    done: np.ndarray
    status: np.ndarray
    snapshots: dict[str, np.ndarray]


def first_state(runs: int, groups: Mapping[str, Sequence[int]]) -> State:
    """That of a new file; ``groups``: weights group -> (runs, snapshots)."""
    snapshots = {name: np.zeros(rows, "<i8") for name, (rows, _) in groups.items()}
    return State(0, np.zeros(runs, "<i8"), np.zeros(runs, "|i1"), snapshots)


@dataclass(frozen=True)
class Journal:
    """Where the parts of a journal are, from the header. ``start``: of the slots in the file."""

    start: int
    runs: int
    records: int
    groups: Mapping[str, tuple[int, int]]
    """Weights group -> (runs, snapshots)"""
    live: Mapping[str, tuple[int, int]]
    """Dataset -> (offset, length)"""
    status_at: int
    """Offset of the attribute ``status``, of STATUS_BYTES"""

    @property
    def slot_size(self) -> int:
        """Bytes of one slot."""
        return 8 + 9 * self.runs + 8 * sum(rows for rows, _ in self.groups.values()) + 4

    @property
    def end(self) -> int:
        """Length of the file."""
        snapshots = sum(rows * count for rows, count in self.groups.values())
        return self.start + 2 * self.slot_size + 4 * (self.runs * self.records + snapshots)

    def record_place(self, run: int, s: int) -> int:
        """Offset of the checksum of record ``s``."""
        return self.start + 2 * self.slot_size + 4 * (run * self.records + s)

    def snapshot_place(self, group: str, row: int, snapshot: int) -> int:
        """Offset of the checksum of a snapshot of the ``row``-th run of a group."""
        before = self.runs * self.records
        for name, (rows, count) in self.groups.items():
            if name == group:
                return self.record_place(0, 0) + 4 * (before + row * count + snapshot)
            before += rows * count
        raise ValueError(f"the journal knows no weights group '{group}'")

    def slot(self, state: State) -> tuple[int, bytes]:
        """Where a state is written, and its bytes."""
        parts = [struct.pack("<Q", state.number), state.done.tobytes(), state.status.tobytes()]
        content = b"".join([*parts, *(state.snapshots[name].tobytes() for name in self.groups)])
        place = self.start + state.number % 2 * self.slot_size
        return place, content + struct.pack("<I", zlib.crc32(content))

    def states(self, fd: int) -> list[State]:
        """The slots that are whole, the newest first."""
        found = []
        for which in range(2):
            content = read_at(fd, self.slot_size, self.start + which * self.slot_size)
            if len(content) < self.slot_size or content[-4:] != _sum(content[:-4]):
                continue
            (number,) = struct.unpack_from("<Q", content)
            found.append(State(number, *self._counters(content[8:-4])))
        return sorted(found, key=lambda state: -state.number)

    def _counters(self, content: bytes) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        done = np.frombuffer(content, "<i8", self.runs)
        status = np.frombuffer(content, "|i1", self.runs, 8 * self.runs)
        at, snapshots = 9 * self.runs, {}
        for name, (rows, _) in self.groups.items():
            snapshots[name] = np.frombuffer(content, "<i8", rows, at)
            at += 8 * rows
        return done, status, snapshots

    def state(self, fd: int, name: str) -> State:
        """What counts. Raises FileError where slots and HDF5's counters cannot both be right."""
        for _ in range(_TRIES):
            before = self.states(fd)
            counters = State(-1, *self._counters(b"".join(self._live(fd))))
            after = self.states(fd)
            if [state.number for state in before] != [state.number for state in after]:
                time.sleep(_PAUSE)  # in the middle of a commit: this says nothing of the file
            elif before and _fits(counters, before):
                return before[0]
            else:
                raise FileError(f"'{name}' is damaged: its counters do not match their checksum")
        raise FileError(f"'{name}' changes too fast to be read")

    def _live(self, fd: int) -> list[bytes]:
        """HDF5's own counters, in the order of a slot."""
        names = [f"/weights/{group}/snapshots_done" for group in self.groups]
        places = [self.live[name] for name in ("/records_done", "/run_status", *names)]
        return [read_at(fd, length, offset) for offset, length in places]

    def check_records(self, fd: int, name: str, done: np.ndarray, slabs: np.ndarray) -> None:
        """Raise FileError unless the records of slabs (R, S, values of one record) that count are
        those whose checksums are stored."""
        stored = np.frombuffer(
            read_at(fd, 4 * self.runs * self.records, self.record_place(0, 0)), "<u4"
        ).reshape(self.runs, self.records)
        width = 8 * slabs.shape[2]
        for run, count in enumerate(done.tolist()):
            content = slabs[run, :count].astype("<f8").tobytes()
            records = [content[at : at + width] for at in range(0, len(content), width)]
            if checksums(records) != stored[run, :count].tobytes():
                raise FileError(
                    f"'{name}' is damaged: the records of its row {run} do not match "
                    f"their checksums"
                )

    def check_snapshot(
        self, fd: int, name: str, group: str, row: int, snapshot: int, params: np.ndarray
    ) -> None:
        """Raise FileError unless stored weights match their checksum."""
        if read_at(fd, 4, self.snapshot_place(group, row, snapshot)) != _sum(params.tobytes()):
            raise FileError(
                f"'{name}' is damaged: weights of group '{group}' do not match their checksum"
            )


def checksums(records: Sequence[bytes]) -> bytes:
    """CRC-32 of each of some records, one after the other."""
    return struct.pack(f"<{len(records)}I", *map(zlib.crc32, records))


def snapshot_checksum(params: bytes) -> bytes:
    """CRC-32 of weights as they are stored."""
    return _sum(params)


def _sum(content: Any) -> bytes:
    return struct.pack("<I", zlib.crc32(content))


def _fits(counters: State, states: Sequence[State]) -> bool:
    """Whether each counter lies between the two states, each code is that of one of them."""
    newest, other = states[0], states[-1]

    def between(values: np.ndarray, one: np.ndarray, two: np.ndarray) -> bool:
        return bool(((values >= np.minimum(one, two)) & (values <= np.maximum(one, two))).all())

    known = (counters.status == newest.status) | (counters.status == other.status)
    return (
        bool(known.all())
        and between(counters.done, newest.done, other.done)
        and all(
            between(values, newest.snapshots[name], other.snapshots[name])
            for name, values in counters.snapshots.items()
        )
    )


def append_journal(
    fd: int,
    length: int,
    runs: int,
    records: int,
    groups: Mapping[str, tuple[int, int]],
    live: Mapping[str, tuple[int, int]],
) -> Journal:
    """Append the journal of a new file to its HDF5 data, of ``length`` bytes. Raises OSError."""
    status_at = _find_status(fd, length, live)
    header = json.dumps(
        {
            "runs": runs,
            "records": records,
            "groups": groups,
            "live": live,
            "status": status_at,
            "sha256": _static(fd, length, live, status_at),
        }
    ).encode()
    start = _HEAD.pack(MAGIC, VERSION, length, len(header)) + header
    start += hashlib.sha256(start).digest()
    journal = Journal(length + len(start), runs, records, groups, live, status_at)
    state = first_state(runs, groups)
    slots = [journal.slot(state._replace(number=number)) for number in range(2)]
    content = start + b"".join(content for _, content in slots)
    write_at(fd, content + bytes(journal.end - length - len(content)), length)
    return journal


def read_journal(fd: int, name: str, length: int, size: int) -> Journal | None:
    """The journal after HDF5 data of ``length`` bytes in a file of ``size``, once it and the data's
    structure are verified; None where there is none. FileError: the file is not what was
    written."""
    head = read_at(fd, _HEAD.size, length)
    if not head.startswith(MAGIC):
        return None
    damaged = FileError(f"'{name}' is damaged: its journal is cut off or changed")
    if len(head) < _HEAD.size:
        raise damaged
    _, version, stated, count = _HEAD.unpack(head)
    if version > VERSION:
        raise FileError(
            f"'{name}' is from a newer fracsim (journal version {version}): update fracsim to "
            f"read it"
        )
    if version != VERSION or stated != length or count > min(_MOST_HEADER, size):
        raise damaged
    rest = read_at(fd, count + _DIGEST, length + _HEAD.size)
    if hashlib.sha256(head + rest[:count]).digest() != rest[count:]:
        raise damaged
    try:
        header = json.loads(rest[:count])
        groups = {str(key): (int(a), int(b)) for key, (a, b) in header["groups"].items()}
        live = {str(key): (int(a), int(b)) for key, (a, b) in header["live"].items()}
        sizes = (int(header["runs"]), int(header["records"]))
        status_at, digest = int(header["status"]), str(header["sha256"])
        journal = Journal(
            length + _HEAD.size + len(rest), *sizes, groups=groups, live=live, status_at=status_at
        )
        journal._live(fd)  # it names the counters
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError):
        raise damaged from None
    if size != journal.end:
        raise FileError(f"'{name}' is truncated: {size} of {journal.end} bytes are there")
    if _static(fd, length, live, status_at) != digest:
        raise FileError(
            f"'{name}' is damaged: its checksum does not match (changed after it was written)"
        )
    return journal


def _static(fd: int, length: int, live: Mapping[str, tuple[int, int]], status_at: int) -> str:
    """SHA-256 (hex) of the HDF5 data that do not change."""
    hashed = hashlib.sha256()
    for first, end in _gaps(length, [*live.values(), (status_at, STATUS_BYTES)]):
        while first < end and (block := read_at(fd, min(_BLOCK, end - first), first)):
            hashed.update(block)
            first += len(block)
    return hashed.hexdigest()


def _gaps(length: int, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What (offset, length) ranges leave of 0 … length, as (first, end)."""
    gaps, at = [], 0
    for offset, size in sorted(ranges):
        if size > 0:
            gaps.append((at, offset))
            at = max(at, offset + size)
    return [(first, end) for first, end in [*gaps, (at, length)] if first < end]


def _find_status(fd: int, length: int, live: Mapping[str, tuple[int, int]]) -> int:
    """Where HDF5 has put the value of the root's attribute ``status``: text of a fixed length,
    which no other attribute has."""
    value = b"running".ljust(STATUS_BYTES, b"\0")
    places = []
    for first, end in _gaps(length, list(live.values())):
        content = read_at(fd, end - first, first)
        at = content.find(value)
        while at >= 0:
            if b"status\0" in content[max(0, at - 64) : at]:
                places.append(first + at)
            at = content.find(value, at + 1)
    if len(places) != 1:
        raise ValueError(f"the attribute 'status' is at {len(places)} places of the file")
    return places[0]
