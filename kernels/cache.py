"""Where compiled kernels are kept, so that an edited kernel is never served stale.

Numba's file cache does not notice an edit in *another* file (numba issue 1833): a caller stays
cached and returns the old number. The folder's name therefore holds a hash of all kernel sources
and of numba's version; it is set before any decorator runs."""

import hashlib
import os
import sys
import tempfile
import warnings
from pathlib import Path


def source_hash() -> str:
    """Hex digest (16 characters) of every kernel source, the versions of numba, llvmlite,
    numba-cuda and Python, and the vector width."""
    import llvmlite
    import numba

    from fracsim.kernels.vectors import VECTOR_BYTES

    versions = (
        f"{numba.__version__} {llvmlite.__version__} {_numba_cuda()} {sys.version} {VECTOR_BYTES}"
    )
    digest = hashlib.sha256(versions.encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _numba_cuda() -> str:
    """Version of the package numba-cuda, whose cache files the numba.cuda of numba could not
    read."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("numba-cuda")
    except PackageNotFoundError:
        return ""


def user_cache_folder() -> Path:
    """The user's cache folder: ``$XDG_CACHE_HOME``, else the platform's usual place."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def use_versioned_cache() -> bool:
    """Point numba at ``<user cache>/fracsim/<hash>``, unless the user chose NUMBA_CACHE_DIR;
    whether kernels are kept.

    An unwritable folder means uncached kernels, with one warning: never a shared fixed folder in
    /tmp."""
    import numba

    if os.environ.get("NUMBA_CACHE_DIR"):
        return True
    folder = user_cache_folder() / "fracsim" / source_hash()
    if _writable(folder):
        setattr(numba.config, "CACHE_DIR", str(folder))  # noqa: B010  (numba makes the attribute at run time)
        return True
    warnings.warn(
        f"fracsim: {folder} is not writable, so kernels are compiled anew in every process "
        "(set NUMBA_CACHE_DIR to a folder of your own to keep them)",
        stacklevel=2,
    )
    return False


def cache_folder() -> str | None:
    """The folder in which this process keeps compiled kernels; None where there is none to write
    to."""
    import numba

    return numba.config.CACHE_DIR or None  # type: ignore[attr-defined]
