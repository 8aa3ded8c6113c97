"""Training that starts from a stored network: the key ``init_from``, a file that ``train`` or
``construct`` wrote.

What decides a run's numbers are the parameters, not the file's name or what it may hold later. So
an experiment pins them when it is made: "net.h5" becomes "net.h5#" and the SHA-256 of the network,
which is what the trajectory file stores, what a rerun compares, and all of it that counts in the
experiment's hash."""

import hashlib
import re
from typing import TYPE_CHECKING

from fracsim.errors import UsageError
from fracsim.values.grammar import width_of_layers
from fracsim.values.settings import label

if TYPE_CHECKING:
    import numpy as np

    from fracsim.kernels.network.shape import Shape
    from fracsim.networks.stored import StoredNetwork

_PINNED = re.compile(r"(?P<path>.*)#(?P<digest>[0-9a-f]{64})", re.DOTALL)


def load_start(text: str, shape: "Shape") -> "np.ndarray":
    """Parameters (Q,) of the network that ``init_from`` names, in the precision in which they are
    stored.

    Raises UsageError where its shape is not ``shape``, FileError where the file holds no network or
    not the pinned one."""
    network = _load(text)
    if network.shape != shape:
        there, here = (
            f"depth {s.depth}, width {width_of_layers(s.widths)} and {s.inputs} input(s)"
            + (f", {s.family} of {s.outputs} outputs" if s.outputs > 1 else "")
            for s in (network.shape, shape)
        )
        raise UsageError(
            f"{label('init_from')} '{network.path}' holds a network of {there}; this run has {here}"
        )
    return network.params


def without_path(text: str | None) -> str | None:
    """What of ``init_from`` decides the numbers of a run: the digest."""
    pinned = _PINNED.fullmatch(text or "")
    return pinned["digest"] if pinned else text


def path_of(text: str) -> str:
    """The file of ``init_from``, without the digest."""
    pinned = _PINNED.fullmatch(text)
    return pinned["path"] if pinned else text


def pin(text: str, key: str = "init_from") -> "tuple[str, StoredNetwork]":
    """``init_from``, or another key that names a network, with the digest, and that network. Raises
    FileError."""
    network = _load(text, key)
    return f"{network.path}#{_digest(network)}", network


def _load(text: str, key: str = "init_from") -> "StoredNetwork":
    from fracsim.data.errors import FileError
    from fracsim.networks.stored import load_network

    pinned = _PINNED.fullmatch(text)
    try:
        network = load_network(pinned["path"] if pinned else text, several=key == "init_from")
    except FileError as error:
        raise FileError(f"{label(key)}: {error}") from error
    if pinned and pinned["digest"] != _digest(network):
        raise FileError(
            f"{label(key)}: '{network.path}' no longer holds the network that was there "
            f"when this experiment "
            "was made; put that file back, or name the new one"
        )
    return network


def _digest(network: "StoredNetwork") -> str:
    """SHA-256 (hex) of a network's shape, float type and parameters."""
    sizes = (network.shape.inputs, network.shape.depth, network.width)
    kind = f"{sizes} {network.params.dtype.str} "
    if network.shape.outputs > 1:
        kind += f"{network.shape.outputs} {network.shape.image} "
    return hashlib.sha256(kind.encode() + network.params.tobytes()).hexdigest()
