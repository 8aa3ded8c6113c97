"""Where compiled kernels are kept, so that an edited kernel is never served stale, nor a damaged
one.

Numba's file cache does not notice an edit in *another* file (numba issue 1833): a caller stays
cached and returns the old number. Each package of kernels therefore has a folder whose name holds a
hash of its sources, of those of the packages that it imports, of numba's version and of the vector
width; it is set before any decorator of the package runs. So an edit in one package compiles anew
what depends on it, and nothing else. The folders lie in the user's cache folder, or in the user's
own NUMBA_CACHE_DIR."""

import functools
import hashlib
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import IndexDataCacheFile

_TOP = Path(__file__).parent
_IMPORT = re.compile(rb"fracsim\.kernels\.(\w+)")
_TOOLS = ("jit.py", "linked.py", "rounding.py", "vectors.py")
"""Files beside the packages on which every kernel depends."""

_FILES = ("norms",)
"""Modules beside the packages with kernels of their own: each is a package of one file."""


@functools.cache
def package_of(module: str) -> str:
    """The package of kernels that a module of ``fracsim.kernels`` lies in; "" for a stranger's,
    whose kernels may call any of ours."""
    name = module.removeprefix("fracsim.kernels").strip(".").split(".")[0]
    return name if _is_package(name) else ""


def _is_package(name: str) -> bool:
    return name in _FILES or (bool(name) and (_TOP / name).is_dir())


@functools.cache
def _sources(package: str) -> tuple[tuple[str, bytes], ...]:
    """Name and contents of each file of a package, read once."""
    files = [_TOP / f"{package}.py"] if package in _FILES else (_TOP / package).rglob("*.py")
    return tuple((file.name, file.read_bytes()) for file in sorted(files))


@functools.cache
def needed_by(package: str) -> tuple[str, ...]:
    """A package and all that it imports, directly or not, in alphabetical order."""
    found, waiting = {package}, [package]
    while waiting:
        for _, source in _sources(waiting.pop()):
            new = {name.decode() for name in _IMPORT.findall(source)} - found
            packages = [name for name in new if _is_package(name)]
            found.update(packages)
            waiting.extend(packages)
    return tuple(sorted(found))


@functools.cache
def source_hash(package: str) -> str:
    """Hex digest (16 characters) of the sources that a package's kernels are made of, the versions
    of numba, llvmlite, numba-cuda and Python, and the vector width."""
    import llvmlite
    import numba

    from fracsim.kernels.vectors import VECTOR_BYTES

    versions = (
        f"{numba.__version__} {llvmlite.__version__} {_numba_cuda()} {sys.version} {VECTOR_BYTES}"
    )
    digest = hashlib.sha256(versions.encode())
    tools = [(name, (_TOP / name).read_bytes()) for name in _TOOLS]
    for name, source in (*tools, *(file for one in needed_by(package) for file in _sources(one))):
        digest.update(name.encode() + source)
    return digest.hexdigest()[:16]


@functools.cache
def _numba_cuda() -> str:
    """Version of the package numba-cuda, whose cache files the numba.cuda of numba could not
    read."""
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    if find_spec("numba_cuda") is None:  # far quicker than to look through all that is installed
        return ""
    try:
        return version("numba-cuda")
    except PackageNotFoundError:
        return ""


def user_cache_folder() -> Path | None:
    """The user's cache folder: ``$XDG_CACHE_HOME``, else the platform's usual place;
    None for a user without a home."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"])
    try:
        home = Path.home()
    except RuntimeError:  # neither HOME nor an entry among the system's users
        return None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache")


@functools.cache
def cache_folder() -> Path | None:
    """The folder that holds the packages' folders; None, told once, where there is none that can
    be written."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    if own:
        folder: Path | None = Path(own)
    else:
        cache = user_cache_folder()
        folder = None if cache is None else cache / "fracsim"
    if folder is not None and _writable(folder):
        return folder
    where = "there is no home folder" if folder is None else f"{folder} is not writable"
    warnings.warn(
        f"fracsim: {where}, so kernels are compiled anew in every process "
        "(set NUMBA_CACHE_DIR to a folder of your own to keep them)",
        stacklevel=2,
    )
    return None


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def folder_of(package: str) -> Path | None:
    """Where the compiled kernels of a package are kept; None where none are."""
    top = cache_folder()
    return None if top is None else top / f"{package or 'tools'}-{source_hash(package)}"


def folders() -> Iterator[Path]:
    """The folders of all packages, there or not."""
    packages = [place.parent.name for place in _TOP.glob("*/__init__.py")]
    for name in sorted((*_FILES, *packages)):
        if (folder := folder_of(name)) is not None:
            yield folder


def use_folder_of(module: str) -> bool:
    """Point numba at the folder of a module's package, for the decorators that run next; whether
    kernels are kept."""
    import numba

    folder = folder_of(package_of(module))
    if folder is not None:
        setattr(numba.config, "CACHE_DIR", str(folder))  # noqa: B010  (made at run time)
    return folder is not None


class _Guarded(IndexDataCacheFile):
    """Numba's cache file, for which what cannot be read is not there, and what cannot be written is
    left out: a write cut off by a kill or a full disk must not end every later process."""

    def load(self, key: Any) -> Any:
        """The entry of a signature; None where there is none, or a damaged one."""
        try:
            return super().load(key)
        except OSError:
            return None
        except Exception:  # unpickling raises whatever the bytes lead to
            _tell("a compiled kernel that was kept is damaged: it is compiled anew")
            self._forget()
            return None

    def save(self, key: Any, data: Any) -> None:
        """Keep an entry, if that can be done."""
        try:
            try:
                super().save(key, data)
            except OSError:
                raise
            except Exception:
                self._forget()
                super().save(key, data)
        except OSError as error:
            _tell(f"compiled kernels cannot be kept ({error.strerror or error})")

    def _forget(self) -> None:
        with suppress(OSError):
            self.flush()


@functools.cache
def _tell(sentence: str) -> None:
    warnings.warn(f"fracsim: {sentence}", stacklevel=2)


def guard(dispatcher: Any) -> Any:
    """A compiled function whose cache file survives damage."""
    file = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if type(file) is IndexDataCacheFile:
        file.__class__ = _Guarded
    return dispatcher
