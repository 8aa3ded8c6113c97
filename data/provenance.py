"""Where a file comes from: versions, host, job, time. Text only, no environment dump and so no
secrets."""

import datetime
import importlib.metadata
import os
import platform
import socket

# The batch systems' names for the running job; the first that is set is stored.
_JOB_IDS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")


def provenance(command: str = "") -> dict[str, str]:
    """Attributes for a file: software and its versions, host, job_id, created (UTC),
    command.

    `command` is stored as given. Imports h5py only to learn the version of HDF5.
    """
    import h5py

    from fracsim import __version__

    result = {
        "software": f"fracsim {__version__}",
        "python_version": platform.python_version(),
        **{f"{package}_version": _version(package) for package in ("numpy", "numba", "h5py")},
        "hdf5_version": h5py.version.hdf5_version,
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "host": socket.gethostname(),
        "job_id": job_id(),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command,
    }
    return {name: value.replace("\0", "") for name, value in result.items()}


def job_id() -> str:
    """Id of the batch job this process runs in; "" outside of one."""
    return next((os.environ[name] for name in _JOB_IDS if os.environ.get(name)), "")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
