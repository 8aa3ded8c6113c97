"""The kinds of machine that a file was computed on: its numbers are those of one kind, or it
says that they are not.

A run's bits depend on the versions of fracsim and numba, the backend, the width of vectors and the
CPU's instruction sets. Workers may differ, and so may the machine that a file is continued on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMED = ("software", "numba_version", "backend")


class Machines:
    """What computes a trajectory file; ``first`` is the first worker's
    ``fracsim.sweeps.worker.machine_of``."""

    def __init__(self, first: Mapping[str, str]) -> None:
        self._kinds = [dict(first)]
        self.continued = 0
        """How often the trajectory file was continued."""
        self.bit_identical = "yes"
        """Or "no: " and why."""

    def go_on(self, before: Mapping[str, Any], begun: bool) -> list[str]:
        """Take in what an earlier call kept (``facts``, or the attributes of its trajectory file);
        sentences for the user.

        ``begun``: whether any of its numbers stay.
        """
        self.continued = int(before.get("continued", 0)) + 1
        self.bit_identical = str(before.get("bit_identical", "yes"))
        found = differences(before, self._kinds[0], "there", "here") if begun else []
        if not found:
            return []
        self.bit_identical = f"no: {'; '.join(found)}"
        return [f"not bit-identical to a run without a stop: {'; '.join(found)}"]

    def saw(self, machine: Mapping[str, str]) -> str:
        """Take in where a slice was computed; a sentence for the user where that is a new kind of
        machine, else ""."""
        if not all(differences(kind, machine) for kind in self._kinds):
            return ""
        found = "; ".join(differences(self._kinds[0], machine, "on one worker", "on another"))
        self._kinds.append(dict(machine))
        if self.bit_identical == "yes":
            self.bit_identical = f"no: {found}"
        return f"not bit-identical to a run on workers of one kind: {found}"

    def facts(self) -> dict[str, str | int]:
        """For the checkpoint and for the attributes of the file; where there were many kinds, a
        | between them."""
        several = {
            key: " | ".join(dict.fromkeys(kind[key] for kind in self._kinds))
            for key in self._kinds[0]
        }
        return {**several, "continued": self.continued, "bit_identical": self.bit_identical}


def differences(
    one: Mapping[str, Any], other: Mapping[str, Any], there: str = "", here: str = ""
) -> list[str]:
    """Phrases on what two machines differ in, of what bits depend on."""
    found = [
        f"{key.replace('_', ' ')} {one.get(key)} {there} and {other.get(key)} {here}"
        for key in _NAMED
        if one.get(key) != other.get(key)
    ]
    if one.get("backend") != other.get("backend"):
        return found  # their devices are of two kinds, which says it all
    vectors = [str(machine.get("device", "")).rpartition(", ")[2] for machine in (one, other)]
    if vectors[0] != vectors[1]:
        found.append(f"{vectors[0]} {there} and {vectors[1]} {here}")
    if one.get("instruction_sets") != other.get("instruction_sets"):
        found.append("other instruction sets of the CPU")
    return found
