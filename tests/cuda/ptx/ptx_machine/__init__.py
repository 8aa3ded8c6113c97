"""A machine that runs PTX on the CPU, so that tests run what the card would run: see
`machine.run`."""

from ptx_machine.machine import PtxFault, Result, run
from ptx_machine.parser import PtxError

__all__ = ["PtxError", "PtxFault", "Result", "run"]
