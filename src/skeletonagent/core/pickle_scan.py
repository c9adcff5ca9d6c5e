"""Scan of a pickle before it is loaded: what would exhaust the memory or the stack is refused.

A reader that runs nothing still builds what a pickle says. Its table of remembered values is as
long as the largest number in it, so that ten bytes can ask for a gigabyte; and a tuple that is
nested a hundred thousand times, or shares its parts so that it has 2^100 of them, crashes or hangs
whoever computes its hash. Both can be seen in the instructions alone.
"""

from __future__ import annotations

import mmap
import pickletools
from collections.abc import Callable
from pickle import UnpicklingError
from typing import TypeAlias

MOST_DEPTH = 100
"""Levels of tuples in tuples; those of arrays and their shapes are two."""
MOST_TUPLE_ITEMS = 10_000_000
"""Items of a tuple and of the tuples in it, each counted as often as it occurs."""
MOST_GROWTH = 16
"""Memory of empty containers, in sizes of the pickle; a tuple of two small numbers has 10."""
ALWAYS_BUILT = 1 << 26
"""Memory of empty containers in bytes up to which they are built however short the pickle is."""

Content: TypeAlias = bytes | mmap.mmap
Nesting: TypeAlias = tuple[int, int]
"""Levels of tuples in a value, and number of items in them."""

_PLAIN: Nesting = (0, 1)
_TUPLES = ("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")
_BYTES = dict.fromkeys(_TUPLES, 56) | {
    "EMPTY_LIST": 56, "LIST": 56, "EMPTY_DICT": 64, "DICT": 64, "EMPTY_SET": 216, "FROZENSET": 216,
}  # fmt: skip
"""Memory of an empty container."""
_PREFIXES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
"""Bytes of the length that comes before an argument."""


def scan_pickle(data: Content, start: int = 0) -> int:
    """Check the instructions of a pickle; return where it ends.

    Args:
        data: Content of a file.
        start: Place at which the pickle begins.

    Raises:
        UnpicklingError: If it is damaged, or would exhaust the memory or the stack.
    """
    scan = _Scan(data, start)
    while scan.next_step():
        pass
    return scan.place


class _Instruction:
    """What an instruction takes from the stack and leaves there, and where its argument ends."""

    __slots__ = ("end", "is_text", "memory", "pops", "pushes", "run", "to_mark")

    def __init__(self, opcode: pickletools.OpcodeInfo) -> None:
        before = opcode.stack_before
        self.to_mark = pickletools.markobject in before
        self.pops = before.index(pickletools.markobject) if self.to_mark else len(before)
        self.pushes = len(opcode.stack_after)
        self.memory = _BYTES.get(opcode.name, 0)
        self.end = _argument_end(opcode.arg)
        self.is_text = opcode.arg is not None and opcode.arg.n == pickletools.UP_TO_NEWLINE
        self.run = _RUNS.get(opcode.name, _Scan.replace)


def _argument_end(
    argument: pickletools.ArgumentDescriptor | None,
) -> Callable[[Content, int], int]:
    """Return the function from the place where an argument begins to the one where it ends."""
    if argument is None:
        return lambda data, at: at
    if argument.n in _PREFIXES:
        prefix = _PREFIXES[argument.n]
        return lambda data, at: at + prefix + int.from_bytes(data[at : at + prefix], "little")
    if argument.n == pickletools.UP_TO_NEWLINE:
        lines = 2 if argument.name == "stringnl_noescape_pair" else 1
        return lambda data, at: _after_lines(data, at, lines)
    return lambda data, at: at + argument.n


def _after_lines(data: Content, at: int, lines: int) -> int:
    for _ in range(lines):
        at = data.find(b"\n", at) + 1
        if not at:
            raise UnpicklingError("it ends early")
    return at


class _Scan:
    """State of a scan: what is on the stack and remembered, as nesting of its tuples.

    Args:
        data: Content of a file.
        place: Place of the next instruction.
    """

    def __init__(self, data: Content, place: int) -> None:
        self.data, self.place, self.start = data, place, place
        self.stack: list[Nesting] = []
        self.marks: list[int] = []
        self.memo: dict[int, Nesting] = {}
        self.memory = 0

    def next_step(self) -> bool:
        """Follow one instruction; return whether there is another."""
        at = self.place
        if at >= len(self.data):
            raise UnpicklingError("it ends early")
        instruction = _INSTRUCTIONS.get(self.data[at])
        if instruction is None:
            raise UnpicklingError(f"it has no instruction {self.data[at]:#x}")
        self.place = instruction.end(self.data, at + 1)
        if self.place > len(self.data):
            raise UnpicklingError("it ends early")
        if instruction.memory:
            self._count(instruction.memory)
        instruction.run(self, instruction, at + 1)
        return self.data[at] != _STOP

    def _count(self, memory: int) -> None:
        self.memory += memory
        if self.memory > ALWAYS_BUILT + MOST_GROWTH * len(self.data):
            raise UnpicklingError("it makes far more containers than it has content")

    def _taken(self, instruction: _Instruction) -> list[Nesting]:
        """Return what an instruction takes from the stack."""
        if instruction.to_mark:
            if not self.marks:
                raise UnpicklingError("an instruction lacks its mark")
            first = self.marks.pop() - instruction.pops
        else:
            first = len(self.stack) - instruction.pops
        if first < (self.marks[-1] if self.marks else 0):
            raise UnpicklingError("an instruction finds too little on the stack")
        taken = self.stack[first:]
        del self.stack[first:]
        return taken

    def replace(self, instruction: _Instruction, at: int) -> None:
        """Replace what is taken from the stack by as much as is left there."""
        if instruction.pops or instruction.to_mark:
            self._taken(instruction)
        self.stack += [_PLAIN] * instruction.pushes

    def make_tuple(self, instruction: _Instruction, at: int) -> None:
        """Replace what is taken from the stack by a tuple."""
        parts = self._taken(instruction)
        depth = 1 + max((depth for depth, _ in parts), default=0)
        items = 1 + sum(items for _, items in parts)
        if depth > MOST_DEPTH or items > MOST_TUPLE_ITEMS:
            raise UnpicklingError(f"it has tuples of {depth} levels and {items} items")
        self.stack.append((depth, items))

    def mark(self, instruction: _Instruction, at: int) -> None:
        """Mark a place on the stack."""
        self.marks.append(len(self.stack))

    def pop(self, instruction: _Instruction, at: int) -> None:
        """Drop a value or a mark."""
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self._taken(instruction)

    def duplicate(self, instruction: _Instruction, at: int) -> None:
        """Push the value on top once more."""
        self.stack += self._top()

    def put(self, instruction: _Instruction, at: int) -> None:
        """Remember the value on top under a number."""
        number = self._number(instruction, at)
        if not 0 <= number <= at - self.start:  # a value that is remembered takes a byte or more
            raise UnpicklingError(f"it remembers a value under the number {number}")
        self.memo[number] = self._top()[0]

    def memoize(self, instruction: _Instruction, at: int) -> None:
        """Remember the value on top under the next number."""
        self.memo[len(self.memo)] = self._top()[0]

    def get(self, instruction: _Instruction, at: int) -> None:
        """Push what was remembered under a number."""
        nesting = self.memo.get(self._number(instruction, at))
        if nesting is None:
            raise UnpicklingError("it asks for a value that it does not remember")
        self.stack.append(nesting)

    def _top(self) -> list[Nesting]:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise UnpicklingError("an instruction finds too little on the stack")
        return self.stack[-1:]

    def _number(self, instruction: _Instruction, at: int) -> int:
        argument = self.data[at : self.place]
        return int(argument) if instruction.is_text else int.from_bytes(argument, "little")


_RUNS: dict[str, Callable[[_Scan, _Instruction, int], None]] = {
    **dict.fromkeys(_TUPLES, _Scan.make_tuple),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Scan.get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Scan.put),
    "MARK": _Scan.mark, "POP": _Scan.pop, "DUP": _Scan.duplicate, "MEMOIZE": _Scan.memoize,
}  # fmt: skip
_INSTRUCTIONS = {ord(opcode.code): _Instruction(opcode) for opcode in pickletools.opcodes}
_STOP = ord(".")
