"""A sweep as a Slurm job array, one shard to a task: the text of its script."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from fracsim.errors import UsageError
from fracsim.machine.walltime import parse_duration
from fracsim.text import counted

WARNING = 120
"""Slurm is asked for SIGUSR1 this many seconds before the end of a task; it may come up to a minute
earlier."""

SHORT_TASK = 0.1
"""The warning is at most this share of a task's time: a task of ten minutes is warned a minute
before its end."""

# names, sizes, constraints: nothing that ends a word of an #SBATCH line
_WORD = r"[\w.,:+@%=/&|!*()\[\]-]+"

_SCRIPT = """\
#!/bin/bash
#
# {experiment}: {runs} in {shards}, one to each task of a job array. Written by fracsim {version}.
#
#   sbatch JOB.sh        with fracsim on the PATH, in the folder from which relative paths start
#   fracsim status {products}
#
# When its time is nearly up, or when it is cancelled, a task writes a checkpoint and ends with
# exit code 75, which Slurm calls FAILED. To go on, submit this script again as it is: a task
# continues from its checkpoint, and one that was finished ends at once. Three rounds in advance,
# each to begin when the one before has ended:
#
#   for round in 1 2 3; do
#     last=$(sbatch --parsable ${{last:+--dependency=afterany:$last}} JOB.sh)
#   done
#
# A task that is preempted, or whose node fails, is requeued by Slurm and continues by itself.
#
{directives}

# 'exec' leaves no shell between Slurm and fracsim: signals arrive, and the exit code is fracsim's.
# It takes as many threads as the allocation has CPUs.
exec {command}
"""


@dataclass(frozen=True)
class ArrayJob:
    """A sweep of ``runs`` runs in ``shards`` tasks; task i writes OUTPUT-i.h5.

    ``words`` are those of ``fracsim sweep`` without shard and output, ``time`` is the limit of a
    task as Slurm writes it, ``directives`` are further options of sbatch (None leaves one out).
    Raises UsageError for what Slurm cannot use."""

    experiment: str
    words: tuple[str, ...]
    runs: int
    shards: int
    output: str
    time: str
    cpus: int
    directives: tuple[tuple[str, str | None], ...] = ()

    def __post_init__(self) -> None:
        if self.shards > self.runs:
            raise UsageError(
                f"--shards is {self.shards}; accepted is at most the number of runs, which is "
                f"{self.runs}"
            )
        if not re.search(
            "[:-]", self.time
        ):  # a bare number would be minutes to Slurm and seconds to fracsim
            raise UsageError(
                f"--time is '{self.time}'; accepted is MM:SS, H:MM:SS or D-HH:MM:SS, as in 12:00:00"
            )
        if parse_duration(self.time, "--time") < 60:
            raise UsageError(
                f"--time is '{self.time}'; accepted is a minute or more: Slurm counts in minutes"
            )
        if not self.output.isprintable() or self.output.endswith("/"):
            raise UsageError(
                f"--output is {self.output!r}; accepted is the beginning of file names"
            )
        for name, value in self.directives:
            if value is not None and not re.fullmatch(_WORD, value, re.ASCII):
                raise UsageError(f"--{name} is '{value}'; accepted is one word, as sbatch takes it")

    def script(self, version: str) -> str:
        """The script for sbatch; ``version`` is fracsim's. What the user gave is quoted."""
        products = shlex.quote(f"{self.output}-")
        command = [
            "fracsim sweep",
            shlex.join(self.words),
            f'--shard "$SLURM_ARRAY_TASK_ID/{self.shards}"',
            f'-o {products}"$SLURM_ARRAY_TASK_ID".h5',
            "--max-time auto",
        ]
        return _SCRIPT.format(
            experiment=" ".join(self.experiment.split()),
            runs=counted(self.runs, "run"),
            shards=counted(self.shards, "shard"),
            version=version,
            products=f"{products}*.h5",
            directives="\n".join(self._directives()),
            command=" ".join(command),
        )

    def _directives(self) -> list[str]:
        """The #SBATCH lines; log files get the job's name, the number of the array and that of the
        task."""
        warning = min(WARNING, int(SHORT_TASK * parse_duration(self.time, "--time")))
        values: dict[str, object] = {
            "job-name": re.sub(r"[^A-Za-z0-9._-]", "_", self.output.rpartition("/")[2]),
            "array": f"0-{self.shards - 1}",
            "time": self.time.strip(),
            "cpus-per-task": self.cpus,
            **{name: value for name, value in self.directives if value is not None},
            "signal": f"B:USR1@{warning}",
            "output": "%x-%A_%a.log",
            "open-mode": "append",
        }
        return [
            *(f"#SBATCH --{name}={value}" for name, value in values.items()),
            "#SBATCH --requeue",
        ]
