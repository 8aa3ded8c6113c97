"""Two revisions of fracsim side by side: an older one in an environment of its own, and the
checkout. Both are used by their command lines only, which change less than their modules.

The environment of the older revision has the packages of the Python that runs this, so that the two
differ in fracsim alone. Each keeps its compiled kernels in a cache of its own."""

import os
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from dataclasses import dataclass
from pathlib import Path

import h5py

TOP = Path(__file__).resolve().parents[2]
STOPPED = 75  # exit code of a sweep that can go on
STOP_WITHIN = 600.0  # seconds until a run must have its first record


class Failure(Exception):
    """A command of one of the revisions did not do what it should; the text says which and how."""


@dataclass(frozen=True)
class Revision:
    """One of the two: the command that starts it, and the variables it is started with."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    results: Path

    def run(self, *arguments: str, core: int | None = None) -> None:
        """``fracsim ARGUMENTS`` in the folder of results. Raises Failure."""
        process = self._start(arguments, core)
        said = process.communicate()[0]
        if process.returncode:
            ended = f"{self._shown(arguments)} ended with {process.returncode}"
            raise Failure(f"{ended}: {said.strip()}")

    def run_stopped(self, product: str, *arguments: str) -> None:
        """The same, but stopped by a signal once ``product`` has a record, and begun again. Raises
        Failure where it was done before it could be stopped."""
        process = self._start(arguments)
        deadline = time.monotonic() + STOP_WITHIN
        while process.poll() is None and not _has_record(self.results / product):
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[0]
        if process.returncode != STOPPED:
            why = f"ended with {process.returncode} when it was to be stopped"
            raise Failure(f"{self._shown(arguments)} {why}: {said.strip()}")
        self.run(*arguments)

    def _start(self, arguments: tuple[str, ...], core: int | None = None) -> subprocess.Popen[str]:
        pinned = ("taskset", "-c", str(core)) if core is not None else ()
        return subprocess.Popen(
            [*pinned, *self.command, *arguments],
            cwd=self.results,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _shown(self, arguments: tuple[str, ...]) -> str:
        return f"{self.name}: fracsim {' '.join(arguments)}"


def _has_record(product: Path) -> bool:
    """Whether a product that may be in the making holds a record."""
    try:
        with h5py.File(product, "r", locking=False) as file:
            return bool(file["records_done"][...].any())
    except (OSError, KeyError):
        return False


def checkout(folder: Path, results: Path) -> Revision:
    """The checkout that this file belongs to, as it is; its kernels are kept in ``folder``."""
    command = (sys.executable, "-m", "fracsim")
    return _revision("checkout", command, folder / "checkout", results, {"PYTHONPATH": str(TOP)})


def older(name: str, folder: Path, results: Path) -> Revision:
    """A revision of this repository, installed below ``folder`` unless it is there. Raises Failure.

    ``folder`` keeps the environment and the kernels for the next time."""
    commit = _output("git", "-C", str(TOP), "rev-parse", "--verify", f"{name}^{{commit}}").strip()
    home = folder / commit[:12]
    scripts = home / "environment" / ("Scripts" if os.name == "nt" else "bin")
    if not (home / "installed").exists():
        _install(commit, home, scripts)
    return _revision(name, (str(scripts / "fracsim"),), home, results, {})


def _install(commit: str, home: Path, scripts: Path) -> None:
    """The environment ``home/environment`` with the revision in it, built from its sources."""
    sources, archive = home / "sources", home / "sources.tar"
    sources.mkdir(parents=True, exist_ok=True)
    venv.create(home / "environment", with_pip=False, clear=True)
    python = scripts / "python"
    own = _output(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    Path(own.strip(), "packages_of_the_caller.pth").write_text(
        "".join(f"{sysconfig.get_path(kind)}\n" for kind in ("purelib", "platlib"))
    )
    _output("git", "-C", str(TOP), "archive", "-o", str(archive), commit)
    _output("tar", "-xf", str(archive), "-C", str(sources))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "-q")
    _output(*pip, "--disable-pip-version-check", "--ignore-installed", str(sources))
    (home / "installed").touch()


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _revision(
    name: str, command: tuple[str, ...], home: Path, results: Path, variables: dict[str, str]
) -> Revision:
    """Settings and kernels of the user's own environment stay out of it."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key in ("FRACSIM_VECTOR_BYTES", "FRACSIM_DEBUG")
        or not (key.startswith(("FRACSIM_", "NUMBA_", "PYTHON")))
    }
    kept = {"XDG_CACHE_HOME": str(home / "cache"), "MPLCONFIGDIR": str(home / "cache")}
    results.mkdir(parents=True, exist_ok=True)
    return Revision(name, command, {**inherited, **kept, **variables}, results)
