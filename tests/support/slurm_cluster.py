"""A real Slurm of one node for the tests: Debian's slurm-wlm and munge in namespaces of their own.

    with SlurmCluster() as cluster:
        cluster.run("sbatch", "job.sh")

It needs root and no systemd, has its own processes, network, host name and configuration, and
leaves nothing behind: when the first process of its namespace ends, the kernel ends all others."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

NODE, ADDRESS, CPUS = "node0", "10.123.0.1", 8
NAMESPACES = ("--mount", "--pid", "--net", "--uts", "--ipc")
TOOLS = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "squeue",
    "scontrol",
    "sinfo",
    "unshare",
    "nsenter",
    "ip",
)
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
KILL_WAIT = 20
"""Seconds from SIGTERM to SIGKILL (Slurm's own default is 30). cred_expire decides how long a
requeued job waits."""

INIT = f"""set -e
hostname {NODE}
ip link set lo up
ip link add slurm0 type veth peer name slurm1
ip address add {ADDRESS}/24 dev slurm0
ip link set slurm0 up
ip link set slurm1 up
echo ready
trap : CHLD
set +e
while true; do sleep 3600 & wait $!; done
"""
"""The first process of the namespace: it sets up the network, then it reaps what loses its
parent."""

CONFIGURATION = f"""
ClusterName=tests
SlurmctldHost={NODE}({ADDRESS})
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={{folder}}/munge/socket,cred_expire=10
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=1,sched_interval=5
ReturnToService=2
KillWait={KILL_WAIT}
MailProg=/bin/true
StateSaveLocation={{folder}}/state
SlurmdSpoolDir={{folder}}/spool
SlurmctldPidFile={{folder}}/slurmctld.pid
SlurmdPidFile={{folder}}/slurmd.pid
SlurmctldLogFile={{folder}}/slurmctld.log
SlurmdLogFile={{folder}}/slurmd.log
NodeName={NODE} NodeAddr={ADDRESS} CPUs={CPUS} RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes={NODE} Default=YES MaxTime=INFINITE State=UP
"""


class NoSlurm(Exception):
    """Why there can be no cluster here, in words for a skipped test."""


class SlurmCluster:
    """The cluster, while the ``with`` block runs. Raises NoSlurm.

    ``folder`` is a place for its users' files, ``environment`` that of its users, which may be
    changed."""

    def __enter__(self) -> SlurmCluster:
        missing = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
        if missing:
            raise NoSlurm(
                f"Slurm is not installed (apt-get install slurm-wlm munge iproute2): no "
                f"{', '.join(missing)}"
            )
        if os.geteuid() != 0:
            raise NoSlurm("a Slurm for tests can only be started by root")
        self._home = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder = self._home / "user"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SLURM_", "FRACSIM_"))
        }
        self.environment = {**kept, "PATH": PATH}
        for name in ("munge", "state", "spool", "user"):
            (self._home / name).mkdir(mode=0o755)
        (self._home / "slurm.conf").write_text(CONFIGURATION.format(folder=self._home))
        self._init: subprocess.Popen | None = None
        self._inside = 0
        try:
            self._isolate()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _isolate(self) -> None:
        """Make the namespaces and find their first process."""
        self._init = subprocess.Popen(
            ["unshare", *NAMESPACES, "--fork", "--kill-child", "--mount-proc", "bash", "-c", INIT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PATH": PATH},
        )
        assert self._init.stdout is not None
        said = self._init.stdout.readline()
        if said != "ready\n":
            raise NoSlurm(
                f"no namespaces can be made here: {said.strip() or 'unshare says nothing'}"
            )
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text()
        self._inside = int(children.split()[0])

    def _start(self) -> None:
        """Start munged, slurmctld and slurmd and wait until the node is idle."""
        munge = self._home / "munge"
        key = munge / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        self.run(
            "munged",
            "--force",
            f"--socket={munge}/socket",
            f"--key-file={key}",
            f"--pid-file={munge}/pid",
            f"--seed-file={munge}/seed",
            f"--log-file={munge}/log",
        )
        self.run("slurmctld", "-c")
        self.run("slurmd", "-c")
        try:
            self.wait(
                lambda: self.run("sinfo", "-h", "-o", "%T", check=False) == "idle",
                30,
                "the node is not idle",
            )
        except TimeoutError as error:
            logs = "\n".join(
                (self._home / f"{name}.log").read_text()[-1000:] for name in ("slurmctld", "slurmd")
            )
            raise NoSlurm(
                f"Slurm does not start here: {error}; its logs end with {logs}"
            ) from error

    def __exit__(self, *_: object) -> None:
        if self._init is not None:
            if self._inside:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._inside, signal.SIGKILL)  # takes the whole namespace with it
            self._init.kill()
            self._init.communicate()
        shutil.rmtree(self._home, ignore_errors=True)

    def run(self, *command: object, check: bool = True, seconds: float = 60) -> str:
        """stdout of a command that runs inside, in the users' folder, without the space around it.

        Raises AssertionError with what it said where it fails, unless ``check`` is off.
        """
        enter = [
            "nsenter",
            f"--target={self._inside}",
            *NAMESPACES,
            "--",
            "env",
            f"--chdir={self.folder}",
        ]
        done = subprocess.run(
            [*enter, *map(str, command)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**self.environment, "SLURM_CONF": str(self._home / "slurm.conf")},
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
        return done.stdout.strip()

    def submit(self, *arguments: object) -> str:
        """Submit a script with sbatch; the number of the job."""
        return self.run("sbatch", "--parsable", *arguments)

    def states(self, job: str) -> dict[str, tuple[str, str]]:
        """Task (its index in the array, or "") -> (state, exit code as CODE:SIGNAL), also for tasks
        that have ended."""
        found = {}
        for line in self.run("scontrol", "show", "job", "--oneliner", job).splitlines():
            words = dict(word.partition("=")[::2] for word in line.split())
            found[words.get("ArrayTaskId", "")] = (words["JobState"], words["ExitCode"])
        return found

    @staticmethod
    def wait(condition, seconds: float, complaint: str) -> None:
        """Wait until ``condition()`` holds. Raises TimeoutError with the complaint after that many
        seconds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{complaint} after {seconds:.0f} s")
            time.sleep(0.25)
