"""What can go wrong in this room; each error is one sentence, and knows the exit code of a command
that it ends."""


class BackendError(RuntimeError):
    """The backend asked for cannot work here; the text says what is missing."""

    exit_code = 1


class OutOfDeviceMemory(BackendError):
    """The device's memory is too small for what was asked; fewer runs at once may fit."""


class VariableError(ValueError):
    """A variable of the environment has a value that is not accepted; the text names it."""

    exit_code = 2
