"""A card that is not there: CUDA kernels compiled as for a card and run by the machine for PTX,
host code and all.

A plugin of pytest, in place of numba's simulator, for the tests that use ``fracsim.kernels.cuda``::

    PYTHONPATH=tests/support:tests/cuda/ptx python -m pytest -p ptx_card tests/cuda/test_level.py

Every access to the memory is checked, and races are looked for; what ``new_on_card`` gives may not
be read before it is written. PTX_CARD_ORDER=reverse or random runs threads in another order,
PTX_CARD_FUSE=1 fuses products and sums."""

import functools
import os
import threading
from typing import Any

import numba
import numpy as np
import ptx

os.environ["NUMBA_ENABLE_CUDASIM"] = "0"  # conftest.py would set it to 1
os.environ["CUDA_HOME"] = str(ptx.cuda_home() or "")
numba.config.reload_config()

import numba.cuda  # noqa: E402
import numba.cuda.dispatcher  # noqa: E402
from ptx_machine import run  # noqa: E402
from ptx_machine.arguments import CardArray  # noqa: E402

from fracsim.kernels.cuda import target  # noqa: E402

CAPABILITY = (9, 0)
_SHARED = 227 * 1024
_one_launch = threading.Lock()
done = {"launches": 0, "instructions": 0}
"""What the machine did."""


def _plain(value: Any) -> Any:
    """An argument without the classes that numba does not know."""
    if isinstance(value, tuple):
        members = [_plain(member) for member in value]
        return type(value)(*members) if hasattr(value, "_fields") else tuple(members)
    return value.view(np.ndarray) if isinstance(value, np.ndarray) else value


@functools.cache
def _compiled(function: Any, signature: Any) -> str:
    card = type("Card", (), {"compute_capability": CAPABILITY})
    numba.cuda.dispatcher.get_current_device = lambda: (
        card
    )  # numba asks it when a kernel calls a device function
    text, _ = numba.cuda.compile_ptx(function.py_func, signature, cc=CAPABILITY)
    return text


def _launch(
    function: Any, blocks: int, threads: int, shared_bytes: int, stream: Any, *arguments: Any
) -> None:
    signature = numba.types.void(*[numba.typeof(_plain(argument)) for argument in arguments])
    how = {
        "order": os.environ.get("PTX_CARD_ORDER", "forward"),
        "fuse": os.environ.get("PTX_CARD_FUSE") == "1",
    }
    races = blocks * threads <= 4096  # the clocks of more threads would fill the memory
    with _one_launch:
        text = _compiled(function, signature)
        result = run(
            text, blocks, threads, arguments, shared_bytes=shared_bytes, races=races, **how
        )
        done["launches"] += 1
        done["instructions"] += result.instructions


def _to_card(array: np.ndarray, stream: Any) -> Any:
    return np.array(array, order="C").view(backend.OnCard)


_CARD = {
    "launch": _launch,
    "new_stream": lambda: None,
    "wait": lambda stream: None,
    "to_card": _to_card,
    "new_on_card": lambda shape, dtype, stream: CardArray.new(shape, dtype),
    "to_host": lambda array, stream: np.array(array),
    "copy_to_card": lambda array, there, stream: np.copyto(there, array),
    "memory": lambda: (2**40, 2**40),
    "free_memory": lambda: 2**40,
    "multiprocessors": lambda: 1,
    "shared_per_block": lambda: _SHARED,
    "shared_per_multiprocessor": lambda: _SHARED + 1024,
    "device_name": lambda: "a machine for PTX (for tests)",
    "compute_capability": lambda: CAPABILITY,
}
for _name, _function in _CARD.items():
    if hasattr(target, _name):  # before the kernels' files import them by name
        setattr(target, _name, _function)

from fracsim.kernels.cuda import backend  # noqa: E402  (it takes the functions above)
from fracsim.kernels.cuda.workspace import Workspace  # noqa: E402

backend._is_placed = lambda array: isinstance(array, (backend.OnCard, CardArray))

# fresh arrays, so that reading what was not written is found
Workspace.empty = lambda self, name, shape, dtype: CardArray.new(shape, dtype)  # type: ignore[method-assign]
Workspace.copy = lambda self, name, array: _to_card(array, None)  # type: ignore[method-assign]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say that the machine was used."""
    terminalreporter.line(
        f"ptx_card: {done['launches']} launches, {done['instructions']} instructions"
    )
