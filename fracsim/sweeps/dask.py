"""An existing Dask cluster as the workers of a sweep; needs the package ``distributed`` (extra
``dask``)."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import time
import warnings
from typing import Any

from fracsim.errors import RunError, UsageError
from fracsim.sweeps.worker import forget_data

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer."""

_COUNT_EVERY = 5.0  # seconds between two looks at how many workers there are


class Cluster:
    """A client of the scheduler at ``address`` (tcp://HOST:PORT or tls://HOST:PORT).

    Raises UsageError for another form of address, RunError where nobody answers or ``distributed``
    is missing."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client = _connect(address)
        self.executor = self._client.get_executor(pure=False)
        self._workers, self._threads = 0, 0
        self._counted = -float("inf")

    def count(self, at_once: bool = False) -> tuple[int, int]:
        """Number of workers and of their threads, as they are now or (unless ``at_once``) were a
        few seconds ago."""
        if at_once or time.monotonic() - self._counted > _COUNT_EVERY:
            with contextlib.suppress(Exception):  # a scheduler that is gone fails the futures, too
                counts = self._client.nthreads()
                self._workers, self._threads = len(counts), sum(counts.values())
            self._counted = time.monotonic()
        return self._workers, self._threads

    def close(self) -> None:
        """Leave the cluster as it was, without our data."""
        with contextlib.suppress(Exception):
            self._client.run(forget_data, on_error="ignore")
        with contextlib.suppress(Exception):
            self._client.close(timeout=2.0)


def _connect(address: str) -> Any:
    found = re.fullmatch(r"(?:tcp|tls)://\[?([^\s/]+?)\]?:(\d{1,5})", address)
    if found is None or not 0 < int(found[2]) < 65536:
        raise UsageError(
            f"--executor is 'dask:{address}'; accepted is dask:tcp://HOST:PORT, the address that "
            "`dask scheduler` prints"
        )
    try:
        from distributed import Client
    except ImportError as error:
        raise RunError(
            "--executor dask:… needs the package distributed, which is not installed: "
            "pip install '.[dask]' in fracsim's checkout"
        ) from error
    for name in (
        "distributed",
        "distributed.client",
    ):  # it logs tracebacks; what matters comes back as our sentence
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", "Sending large graph")  # a run's state has to travel
    try:
        _knock(
            found[1], int(found[2])
        )  # first without Dask, whose client complains for seconds after it has failed
        make: Any = Client  # which has no types
        return make(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RunError(
            f"no Dask scheduler answers at {address} ({error}); `dask scheduler` starts one"
        ) from error


def _knock(host: str, port: int) -> None:
    """Return as soon as somebody listens there. Raises OSError where that takes too long."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            return socket.create_connection((host, port), CONNECT_SECONDS).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)  # a scheduler may be starting
