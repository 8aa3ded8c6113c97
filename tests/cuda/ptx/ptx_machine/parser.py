"""PTX text as numba's NVVM writes it, taken apart: variables, functions, labels, instructions.

Only the grammar that NVVM and libdevice use (NVIDIA, *Parallel Thread Execution ISA*, version 9.0);
all else raises `PtxError` with its line."""

import re
from dataclasses import dataclass, field
from typing import Any

WIDTHS = {"pred": 1} | {f"{kind}{bits}": bits for kind in "busf" for bits in (8, 16, 32, 64)}
"""Bits of every fundamental type."""


class PtxError(Exception):
    """The machine cannot read or run this PTX."""


@dataclass(frozen=True)
class Register:
    """A register of one thread; ``name`` is unique in the module."""

    name: str
    bits: int


@dataclass(frozen=True)
class Immediate:
    """A constant: its bits, and whether it was written as a float (0f… and 0d…)."""

    value: int
    kind: str


@dataclass(frozen=True)
class Symbol:
    """The name of a variable, function or label, or a special register like %tid.x."""

    name: str


@dataclass(frozen=True)
class Address:
    """[base + offset] with a register, variable or constant as base."""

    base: Any
    offset: int


@dataclass(frozen=True)
class Instruction:
    """One instruction: @predicate opcode.modifiers operands."""

    line: int
    text: str
    predicate: Register | None
    negated: bool
    parts: tuple[str, ...]
    operands: tuple[Any, ...]


@dataclass
class Variable:
    """A variable of a state space (param, global, const, shared, local); size 0: dynamic shared
    memory."""

    name: str
    space: str
    kind: str
    size: int
    align: int
    values: bytes | None = None


@dataclass
class Function:
    """An .entry or a .func with its body: labels (str) and instructions."""

    name: str
    entry: bool
    params: list[Variable]
    returns: list[Variable]
    variables: list[Variable] = field(default_factory=list)
    body: list[Any] = field(default_factory=list)
    tables: dict[str, list[str]] = field(default_factory=dict)  # of brx.idx: label -> labels


@dataclass
class Module:
    """All of a PTX text."""

    variables: list[Variable]
    functions: dict[str, Function]
    sources: dict[int, int]  # PTX line -> line of the Python source, where compiled with lineinfo


_DIRECTIVE = re.compile(
    r"^\s*\.(version|target|address_size|file|loc|section|alias)\b|^\s*\.weak\s+(?!\.)"
)
_SPACE = re.compile(r"\.(param|global|const|shared|local)\b")
_NAME = r"[%$\w]+"


def parse(text: str) -> Module:
    """The module of a PTX text."""
    return _Parser(text).module


def _statements(text: str) -> Any:
    """(line, statement) pairs; blocks give "{" and "}", labels end in ":"."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    buffer, start, line, depth = "", 0, 1, 0
    text = re.sub(r"//[^\n]*", "", text)
    text = "\n".join("" if _DIRECTIVE.match(row) else row for row in text.split("\n"))
    for position, letter in enumerate(text):
        line += letter == "\n"
        words = buffer.strip()
        if not words:
            start = line
        if letter == ";" and not depth:
            yield start, words
        elif (
            letter == "{"
            and not depth
            and (not words or re.match(r"(\.\w+\s+)*\.(func|entry)\b", words))
        ):
            yield start, words + "{"
        elif letter == "}" and not depth:
            yield line, "}"
        elif (
            letter == ":"
            and re.fullmatch(_NAME, words)
            and ":" not in text[position - 1 : position + 2 : 2]
        ):
            yield start, words + ":"
        else:
            depth += (letter in "{") - (letter in "}")
            buffer += letter
            continue
        buffer = ""


class _Parser:
    def __init__(self, text: str) -> None:
        self.module = Module([], {}, _sources(text))
        self.function: Function | None = None
        self.scopes: list[dict[str, Any]] = [{}]
        self.unique = 0
        for line, statement in _statements(text):
            try:
                self._statement(line, statement)
            except (ValueError, KeyError, IndexError) as error:
                raise PtxError(
                    f"PTX line {line} cannot be read: {statement[:200]!r} ({error})"
                ) from error

    def _statement(self, line: int, statement: str) -> None:
        if statement == "{":
            self.scopes.append({})
        elif statement == "}":
            self.scopes.pop()
            if len(self.scopes) == 1:
                self.function = None
        elif statement.endswith(":"):
            self.function.body.append(self.function.name + statement[:-1])
        elif re.match(r"(\.\w+\s+)*\.(func|entry)\b", statement):
            self._head(statement)
        elif statement.startswith(".reg"):
            self._registers(statement)
        elif statement.startswith(".branchtargets"):
            names = statement.removeprefix(".branchtargets").split(",")
            self.function.tables[self.function.body.pop()] = [
                self.function.name + name.strip() for name in names
            ]
        elif statement.startswith((".pragma", ".noreturn")) or not statement:
            return
        elif statement.startswith("."):
            variable = self._variable(statement)
            (self.function.variables if self.function else self.module.variables).append(variable)
        else:
            self.function.body.append(self._instruction(line, statement))

    def _head(self, statement: str) -> None:
        """The head of a function; one without a body is only declared."""
        if not statement.endswith("{"):
            return
        entry = ".entry" in statement
        self.scopes.append({})
        lists = re.findall(r"\(([^()]*)\)", statement)
        name = re.search(rf"\.(?:entry|func)\s*(?:\([^()]*\))?\s*({_NAME})", statement)[1]
        returns = lists.pop(0) if re.search(r"\.func\s*\(", statement) else ""
        self.function = Function(name, entry, [], [])
        for rows, into in (
            (lists[0] if lists else "", self.function.params),
            (returns, self.function.returns),
        ):
            into.extend(self._variable(row) for row in rows.split(",") if row.strip())
        self.module.functions[name] = self.function

    def _registers(self, statement: str) -> None:
        _, kind, names = statement.split(None, 2)
        for name in names.split(","):
            count = re.fullmatch(rf"\s*({_NAME})<(\d+)>\s*", name)
            own = [f"{count[1]}{i}" for i in range(int(count[2]))] if count else [name.strip()]
            self.unique += 1
            for each in own:
                self.scopes[-1][each] = Register(f"{each}.{self.unique}", WIDTHS[kind[1:]])

    def _variable(self, statement: str) -> Variable:
        space = _SPACE.search(statement)[1]
        align = re.search(r"\.align\s+(\d+)", statement)
        kinds = [kind for kind in re.findall(r"\.(\w+)", statement.split("=")[0]) if kind in WIDTHS]
        declared = re.search(rf"({_NAME})((?:\[\d*\])*)\s*(?:=\s*(.*))?$", statement, re.S)
        width = WIDTHS[kinds[0]] // 8
        size = width
        for count in re.findall(r"\[(\d*)\]", declared[2]):
            size *= int(count or 0)
        self.unique += self.function is not None
        name = f"{declared[1]}.{self.unique}" if self.function else declared[1]
        values = _initial(declared[3], kinds[0], size) if declared[3] else None
        variable = Variable(name, space, kinds[0], size, int(align[1]) if align else width, values)
        self.scopes[-1][declared[1]] = variable
        return variable

    def _instruction(self, line: int, statement: str) -> Instruction:
        found = re.fullmatch(rf"(?:@(!?)\s*({_NAME})\s+)?([a-z][\w.:]*)\s*(.*)", statement, re.S)
        parts = tuple(found[3].replace("::", "_").split("."))
        predicate = self._operand(found[2]) if found[2] else None
        operands = tuple(self._operand(one) for one in _split(found[4]))
        return Instruction(
            line, " ".join(statement.split()), predicate, found[1] == "!", parts, operands
        )

    def _operand(self, text: str) -> Any:
        text = text.strip()
        if text[0] in "{(":
            return tuple(self._operand(one) for one in _split(text[1:-1]))
        if text[0] == "[":
            base, offset = re.fullmatch(r"\[\s*([^+\s]+?)\s*(?:\+\s*(-?\w+))?\s*\]", text).groups()
            return Address(self._operand(base), int(offset or "0", 0))
        if "|" in text:
            return tuple(self._operand(one) for one in text.split("|"))
        if text[0] == "!":
            return ("not", self._operand(text[1:]))
        if re.match(r"0[fFdD][0-9a-fA-F]{8}", text):
            return Immediate(int(text[2:], 16), "f32" if text[1] in "fF" else "f64")
        if re.match(r"-?\d", text):
            return Immediate(int(text.rstrip("U"), 0), "int")
        for scope in reversed(self.scopes):
            if text in scope:
                return scope[text]
        label = re.match(r"\$|BB|L", text) and self.function
        return Symbol(
            self.function.name + text if label and text not in self.module.functions else text
        )


def _split(text: str) -> list[str]:
    """The operands between commas outside of brackets."""
    return [
        one
        for one in re.findall(r"(?:\{[^}]*\}|\([^)]*\)|\[[^]]*\]|[^,{(\[])+", text)
        if one.strip()
    ]


def _initial(text: str, kind: str, size: int) -> bytes:
    """The bytes of an initialiser of integers or floats."""
    width = WIDTHS[kind] // 8
    words = []
    for word in text.strip().strip("{}").split(","):
        word = word.strip()
        words.append(int(word[2:], 16) if re.match("0[fd]", word) else int(word.rstrip("U"), 0))
    return b"".join((word % (1 << 8 * width)).to_bytes(width, "little") for word in words).ljust(
        size, b"\0"
    )


def _sources(text: str) -> dict[int, int]:
    """PTX line -> Python line, from the .loc lines."""
    found, source = {}, 0
    for number, row in enumerate(text.split("\n"), 1):
        location = re.match(r"\s*\.loc\s+\d+\s+(\d+)", row)
        source = int(location[1]) if location else source
        if source:
            found[number] = source
    return found
