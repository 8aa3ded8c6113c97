"""The door of the public functions: every argument is checked once, at the top, in one way.

``@door(count=Whole(0), x=Array("N d"))`` reads the arguments named, by the names of the signature,
and hands the function what it expects: a whole number is whatever ``operator.index`` takes, a
number whatever ``float`` takes (a bool is neither), an array one of finite numbers, whose letters
mean the same size in all arguments of a call. What does not fit raises UsageError, which names the
argument, what was given and what is accepted. Kernels stay bare, and so do functions that are not
public."""

from __future__ import annotations

import functools
import inspect
import math
import operator
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from fracsim.data.errors import FileError, about_file
from fracsim.errors import FracsimError, UsageError, nearest
from fracsim.text import shortened
from fracsim.values.given import (
    BYTES,
    TooManyError,
    ended,
    is_bool,
    is_text,
    limits_of,
    masked,
    python_value,
    real_number,
    refused,
    unreadable,
)

if TYPE_CHECKING:
    from fracsim.kernels.network.shape import Shape

F = TypeVar("F", bound=Callable[..., Any])

Sizes = dict[str, int]
"""What the letters of a call's arrays mean."""

LARGEST_SEED = 2**64 - 1


def door(**checks: Check) -> Callable[[F], F]:
    """Check the arguments named of a function, in this order; None passes where it is the
    default. What the system says of a file becomes a FileError."""

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        defaults = {name: one.default for name, one in signature.parameters.items()}
        assert not set(checks) - set(defaults), f"{function.__qualname__} has no such argument"

        @functools.wraps(function)
        def checked(*args: Any, **keywords: Any) -> Any:
            given = signature.bind(*args, **keywords)
            sizes: Sizes = {}
            for name, check in checks.items():
                if name not in given.arguments:
                    continue
                value = given.arguments[name]
                if value is not None or defaults[name] is not None:
                    given.arguments[name] = _read(check, name, value, sizes)
            try:
                return function(*given.args, **given.kwargs)
            except OSError as error:
                raise about_file(error) from error

        return checked  # type: ignore[return-value]

    return decorate


def check_fields(instance: object, **checks: Check) -> None:
    """The same for the fields of a frozen dataclass, at the top of ``__post_init__``."""
    sizes: Sizes = {}
    for name, check in checks.items():
        value = getattr(instance, name)
        default = getattr(type(instance), name, ...)
        if value is not None or default is not None:
            object.__setattr__(instance, name, _read(check, name, value, sizes))


def _read(check: Check, name: str, value: Any, sizes: Sizes) -> Any:
    try:
        return check.read(name, value, sizes)
    except (FracsimError, FileError):
        raise
    except Exception as error:
        raise unreadable(name, value, error) from error


class Check:
    """What an argument accepts."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """The value as the function takes it. Raises UsageError."""
        raise NotImplementedError


@dataclass(frozen=True)
class Whole(Check):
    """A whole number; both limits are included."""

    low: int | None = None
    high: int = 2**63 - 1

    def read(self, name: str, value: Any, sizes: Sizes) -> int:
        """An int."""
        try:
            found = operator.index(value) if not is_bool(value) else None
        except Exception:  # of whoever wrote it
            found = None
        if found is None or found > self.high or (self.low is not None and found < self.low):
            high = None if self.high == Whole.high and (found or 0) <= self.high else self.high
            raise refused(name, value, f"a whole number{limits_of(self.low, high)}")
        return found


@dataclass(frozen=True)
class Number(Check):
    """A finite number; both limits are included, unless ``above``: then the lower one is not."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    infinite: bool = False
    """Whether infinity is accepted."""

    def read(self, name: str, value: Any, sizes: Sizes) -> float:
        """A float."""
        try:
            found = real_number(value)
        except Exception:  # of whoever wrote it
            found = math.nan
        inside = self.low <= found <= self.high and not (self.above and found == self.low)
        if not inside or (math.isinf(found) and not self.infinite):
            if self.above:
                accepted = f"a number above {self.low:g}"
                accepted += f", at most {self.high:g}" if self.high < math.inf else ""
            else:
                limits = (None if math.isinf(one) else one for one in (self.low, self.high))
                accepted = f"a finite number{limits_of(*limits)}"
            raise refused(name, value, accepted)
        return found


@dataclass(frozen=True)
class Text(Check):
    """A text, perhaps one of some."""

    choices: tuple[str, ...] = ()

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """The text, a plain str."""
        if not is_text(value):
            raise refused(name, value, "a text" if not self.choices else self._accepted)
        value = str.__str__(value)  # a subclass may have another, as an enumeration has
        if self.choices and value not in self.choices:
            hint = nearest(value, self.choices)
            raise UsageError(
                f"{name} is '{shortened(value)}'{hint or ';'} accepted is {self._accepted}"
            )
        return value

    @property
    def _accepted(self) -> str:
        return f"one of {', '.join(self.choices)}"


class Flag(Check):
    """True or False."""

    def read(self, name: str, value: Any, sizes: Sizes) -> bool:
        """A bool."""
        if not is_bool(value):
            raise refused(name, value, "True or False")
        return bool(value)


class Place(Check):
    """The name of a file."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """As given, but a plain str for one whose class has its own, as an enumeration has."""
        try:
            path = os.fspath(value)
            wrong = b"\0" in os.fsencode(path)
        except Exception:  # of whoever wrote it; UnicodeEncodeError
            path, wrong = b"", True
        if wrong or not isinstance(path, str) or not path:
            raise refused(name, value, "the name of a file")
        return str.__str__(value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Instance(Check):
    """An object of one of these classes, named "module:class", so that nothing is imported for
    it."""

    accepted: str
    """In words: "a Fractal"."""
    names: tuple[str, ...]
    """Names of the classes, or of their bases."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """As given."""
        there = {f"{one.__module__}:{one.__qualname__}" for one in type(value).__mro__}
        if there.isdisjoint(self.names):
            raise refused(name, value, self.accepted)
        return value


def instance(accepted: str, *names: str) -> Instance:
    """``Instance`` of classes of this package: "fractals.fractal:Fractal"."""
    return Instance(accepted, tuple(f"fracsim.{name}" for name in names))


class Called(Check):
    """Something to call."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """As given."""
        if not callable(value):
            raise refused(name, value, "something to call")
        return value


@dataclass(frozen=True)
class Either(Check):
    """What one of several accepts; the last says what that is."""

    checks: tuple[Check, ...]
    accepted: str

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """As the first that accepts it reads it."""
        for check in self.checks:
            try:
                return check.read(name, value, sizes)
            except UsageError:
                continue
        raise refused(name, value, self.accepted)


@dataclass(frozen=True)
class List(Check):
    """A list, tuple or one-dimensional array of what ``each`` accepts."""

    each: Check
    least: int = 1
    most: int = 100_000

    def read(self, name: str, value: Any, sizes: Sizes) -> list[Any]:
        """A list."""
        if getattr(value, "ndim", None) == 1 and len(value) <= self.most:
            value = value.tolist()
        value = ended(value)
        if not isinstance(value, Sequence) or isinstance(value, (str, *BYTES)):
            raise refused(name, value, "a list")
        if not self.least <= len(value) <= self.most:
            raise UsageError(
                f"{name} has {len(value)} entries; accepted are {self.least} to {self.most:,}"
            )
        return [self.each.read(f"{name}[{i}]", one, sizes) for i, one in enumerate(value)]


class Values(Check):
    """A value of settings, or lists and mappings of such."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """With lists and dicts of Python in place of arrays and other sequences and mappings."""
        return python_value(value)


class Table(Check):
    """A mapping with names as keys."""

    def read(self, name: str, value: Any, sizes: Sizes) -> dict[str, Any]:
        """The same of Python's own types."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise refused(name, value, "a mapping of names to values")
        return dict(python_value(value))


@dataclass(frozen=True)
class Network(Check):
    """A ``Shape``, if ``plain`` of fully connected layers with one output; the letters d, T and Q
    are its inputs, depth and number of parameters."""

    plain: bool = True

    def read(self, name: str, value: Any, sizes: Sizes) -> Shape:
        """A ``Shape``."""
        from fracsim.kernels.network.shape import Shape, parameter_count

        if not isinstance(value, Shape):
            raise refused(name, value, "a Shape(inputs, depth=…, width=…)")
        if self.plain and (value.outputs != 1 or value.image is not None):
            raise UsageError(f"{name} is {value}; accepted is a network of one output, no images")
        sizes |= {"d": value.inputs, "T": value.depth, "Q": parameter_count(value)}
        return value


@dataclass(frozen=True)
class Array(Check):
    """An array of finite numbers. ``shape``: letters and sizes, "N d" or "R 7"; a letter that is
    known is that size, another one becomes known; "T+1" is a known one and 1."""

    shape: str
    dtype: str = "float64"
    """What the function gets; "" leaves float32 and float64 as they are."""
    low: float | None = None
    high: float | None = None
    like: str = ""
    """The letter under which the float type of another array is kept: this one gets it too."""
    placed: bool = False
    """Whether an array of a device is taken, as it is."""
    finite: bool = True
    """Whether all values must be finite numbers."""
    empty: bool = True
    """Whether it may have no entries."""
    point: bool = False
    """Whether a number stands for an array (1,)."""

    def read(self, name: str, value: Any, sizes: Sizes) -> Any:
        """A C-contiguous array."""
        import numpy as np

        if self.placed and hasattr(value, "__cuda_array_interface__"):
            self._fit(name, value, sizes)
            return value
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(ended(value))
        except (MemoryError, TooManyError):
            raise
        except Exception:  # of whoever wrote the value's methods
            raise refused(name, value, self._accepted(sizes)) from None
        found = found.reshape(1) if self.point and not found.ndim else found
        kinds = "iu" if "int" in self.dtype else "iuf"
        wrong = found.dtype.kind not in kinds and found.size
        if wrong or masked(value) or isinstance(value, BYTES):
            raise refused(name, value, self._accepted(sizes))
        self._fit(name, found, sizes)
        dtype: Any = self.dtype or (found.dtype if found.dtype in ("f4", "f8") else "f8")
        if self.like:
            dtype = np.dtype(f"f{sizes.setdefault(self.like, np.dtype(dtype).itemsize)}")
        self._check_values(name, found, np.dtype(dtype))
        return np.ascontiguousarray(found, dtype)

    def _fit(self, name: str, found: Any, sizes: Sizes) -> None:
        letters = self.shape.split()
        fits = len(found.shape) == len(letters)
        for letter, size in zip(letters, found.shape, strict=False):
            base, _, more = letter.partition("+")
            due = int(base) if base.isdecimal() else sizes.setdefault(base, size) + int(more or 0)
            fits &= size == due
        if not fits or (0 in found.shape and not self.empty):
            raise refused(name, found, self._accepted(sizes))

    def _check_values(self, name: str, found: Any, dtype: Any) -> None:
        import numpy as np

        if not found.size:
            return
        if dtype.kind == "f":
            with np.errstate(all="ignore"):
                if self.finite and not np.isfinite(found.astype(dtype, copy=False)).all():
                    raise UsageError(
                        f"{name} holds values that are not finite; accepted are {dtype} numbers"
                    )
            low, high = self.low, self.high
        else:
            limits = np.iinfo(dtype)
            low = limits.min if self.low is None else self.low
            high = limits.max if self.high is None else self.high
        least, most = found.min(), found.max()
        if (low is not None and least < low) or (high is not None and most > high):
            raise UsageError(
                f"{name} runs from {least} to {most}; accepted are numbers{limits_of(low, high)}"
            )

    def _accepted(self, sizes: Sizes) -> str:
        letters = self.shape.split()
        known = {letter.partition("+")[0] for letter in letters} & set(sizes)
        where = ", ".join(f"{letter} = {sizes[letter]}" for letter in sorted(known))
        kind = "whole numbers" if "int" in self.dtype else "finite numbers"
        return f"an array ({', '.join(letters)}) of {kind}{f' with {where}' if where else ''}"


SEED = Whole(0, LARGEST_SEED)
FRACTAL = instance("a Fractal", "fractals.fractal:Fractal")
CURVE = instance("a Curve", "fractals.curve:Curve")
DISTRIBUTION = instance("a Distribution", "fractals.distribution:Distribution")
POINTS = Array("N d")
