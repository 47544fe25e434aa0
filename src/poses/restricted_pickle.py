"""Pickles from elsewhere, read as data and never as a program.

A pickle is a little program: it may import any function and call it. This reader runs only the part of that
language which builds numpy arrays, dicts, lists, tuples, strings, bytes, numbers and None; it imports
nothing and calls nothing that the file names. Opcodes: https://docs.python.org/3/library/pickletools.html.
"""

from __future__ import annotations

import math
import pickletools
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAX_BYTES = 16 << 30

_DTYPE_TEXT = re.compile(r"\|?(b1|[iuf][1248]|f16|c8|c16|[SU]\d{1,9}|O8?|\?)")
_MALFORMED = (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError, EOFError, struct.error)
_LITERALS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
_TUPLE_LENGTHS = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


class UnsafePickleError(ValueError):
    """The pickle holds more than plain data, or is damaged; the message names the file and the cause."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A global the file names, never looked up."""

    dotted: str


@dataclass(slots=True)
class _Unfinished:
    """A numpy dtype or array that waits for its state."""

    kind: str
    text: str = ""
    value: Any = None


@dataclass(frozen=True, slots=True)
class _Stream:
    """The two things the opcode parser asks of a file."""

    read: Callable[[int], bytes]
    readline: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class _Arguments:
    """A tuple that holds names or unfinished things: good for a call, not for data."""

    items: tuple[Any, ...]


def load_pickle(path: str | Path, max_bytes: int = MAX_BYTES) -> Any:
    """Read a pickle that holds only numpy arrays and plain Python data.

    Pickles of Python 2 and 3, protocols 0 to 5, numpy 1 and 2 are read; an OrderedDict or defaultdict
    becomes a dict. Arrays are read-only.

    Raises:
        UnsafePickleError: the file names anything else (the message says what), is larger than
            `max_bytes`, or is truncated or damaged.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > max_bytes:
        raise UnsafePickleError(
            f"{path}: {size:,} bytes, more than the {max_bytes:,} allowed; split the file, or raise max_bytes"
        )
    if size == 0:
        raise UnsafePickleError(f"{path}: expected a pickle, got an empty file")
    with path.open("rb", buffering=1 << 20) as file:
        return _Reader(str(path)).run(file)


class _Reader:
    """The machine: a stack, the marks on it, and the memo."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.steps: dict[str, Callable[[Any], None]] = {
            "PROTO": lambda _: None,
            "FRAME": lambda _: None,
            "MARK": self._mark,
            "POP": lambda _: self._pop_one(),
            "POP_MARK": lambda _: self._drop_to_mark(),
            "DUP": lambda _: self.stack.append(self.stack[-1]),
            "EMPTY_LIST": lambda _: self.stack.append([]),
            "EMPTY_DICT": lambda _: self.stack.append({}),
            "LIST": lambda _: self._push([_data(item) for item in self._pop_mark()]),
            "DICT": lambda _: self._push(_fill({}, self._pop_mark())),
            "TUPLE": lambda _: self._push(_tuple(self._pop_mark())),
            "APPEND": self._append,
            "APPENDS": self._appends,
            "SETITEM": self._set_item,
            "SETITEMS": self._set_items,
            "MEMOIZE": lambda _: self.memo.__setitem__(len(self.memo), self.stack[-1]),
            "GLOBAL": lambda arg: self._name(arg.replace(" ", ".", 1)),
            "STACK_GLOBAL": self._stack_global,
            "REDUCE": self._reduce,
            "BUILD": self._build,
        }
        for name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.steps[name] = lambda arg: self.memo.__setitem__(arg, self.stack[-1])
        for name in ("GET", "BINGET", "LONG_BINGET"):
            self.steps[name] = self._get

    def run(self, file: BinaryIO) -> Any:
        try:
            # Without `tell` (a system call) on every instruction.
            for opcode, arg, _ in pickletools.genops(_Stream(file.read, file.readline)):  # type: ignore[arg-type]
                name = opcode.name
                if name in _LITERALS:
                    self.stack.append(arg)
                elif name in _CONSTANTS:
                    self.stack.append(_CONSTANTS[name])
                elif name in _TUPLE_LENGTHS:
                    self._short_tuple(_TUPLE_LENGTHS[name])
                elif name == "STOP":
                    return _data(self.stack.pop())
                elif name in self.steps:
                    self.steps[name](arg)
                else:
                    raise _Refused(f"the instruction {name}")
        except _Refused as error:
            raise UnsafePickleError(
                f"{self.path}: expected numpy arrays, dicts, lists, tuples, text and numbers, got {error} "
                f"(before byte {file.tell():,}); nothing was run. Ask its author for plain arrays"
            ) from None
        except _MALFORMED as error:
            raise UnsafePickleError(
                f"{self.path}: not a whole pickle (near byte {file.tell():,}: {error}); fetch the file again"
            ) from None
        raise UnsafePickleError(f"{self.path}: the pickle ends without its end mark; fetch the file again")

    def _push(self, value: Any) -> None:
        self.stack.append(value)

    def _pop_one(self) -> None:
        # Python's own pickler pops a mark this way too, when a tuple contains itself.
        if self.stack:
            self.stack.pop()
        else:
            self.stack = self.below.pop()

    def _mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def _pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.below.pop()
        return items

    def _drop_to_mark(self) -> None:
        self.stack = self.below.pop()

    def _short_tuple(self, length: int) -> None:
        if len(self.stack) < length:
            raise IndexError("a tuple is longer than the stack")
        items = self.stack[len(self.stack) - length :]
        del self.stack[len(self.stack) - length :]
        self.stack.append(_tuple(items))

    def _append(self, _: Any) -> None:
        item = _data(self.stack.pop())
        _expect(self.stack[-1], list).append(item)

    def _appends(self, _: Any) -> None:
        items = self._pop_mark()
        _expect(self.stack[-1], list).extend(_data(item) for item in items)

    def _set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _fill(_expect(self.stack[-1], dict), [key, value])

    def _set_items(self, _: Any) -> None:
        items = self._pop_mark()
        _fill(_expect(self.stack[-1], dict), items)

    def _get(self, arg: int) -> None:
        value = self.memo[arg]
        if isinstance(value, _Unfinished) and value.value is not None:
            value = value.value
        self.stack.append(value)

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._name(f"{_expect(module, str)}.{_expect(name, str)}")

    def _name(self, dotted: str) -> None:
        if dotted not in _CALLS and dotted not in _BARE_NAMES:
            raise _Refused(f"the name {dotted!r}")
        self.stack.append(_Name(dotted))

    def _reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        call = _CALLS.get(function.dotted) if isinstance(function, _Name) else None
        if call is None:
            raise _Refused(f"a call of {function.dotted if isinstance(function, _Name) else type(function)}")
        self.stack.append(call(_items(arguments)))

    def _build(self, _: Any) -> None:
        state, target = _items(self.stack.pop()), self.stack.pop()
        if not isinstance(target, _Unfinished) or target.value is not None:
            raise _Refused(f"attributes set on {type(target).__name__}")
        if target.kind == "dtype":
            target.value = _dtype_with_order(target.text, state)
        else:
            # (version, shape, dtype, Fortran order, data); the oldest pickles have no version
            shape, dtype, fortran, raw = state[-4:]
            target.value = _array(raw, dtype, shape, fortran)
        self.stack.append(target.value)


class _Refused(Exception):
    """What the file asks for is not data."""


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected a {kind.__name__} here, got {type(value).__name__}")
    return value


def _data(value: Any) -> Any:
    """`value`, if it is finished data."""
    if isinstance(value, _Name):
        raise _Refused(f"the name {value.dotted!r} as a value")
    if isinstance(value, _Arguments | _Unfinished):
        raise TypeError("an unfinished numpy object stands where data belongs")
    return value


def _items(value: Any) -> tuple[Any, ...]:
    items: tuple[Any, ...] = value.items if isinstance(value, _Arguments) else _expect(value, tuple)
    return items


def _tuple(items: Sequence[Any]) -> tuple[Any, ...] | _Arguments:
    plain = not any(isinstance(item, _Name | _Unfinished | _Arguments) for item in items)
    return tuple(items) if plain else _Arguments(tuple(items))


def _fill(target: dict[Any, Any], items: Sequence[Any]) -> dict[Any, Any]:
    for key, value in zip(items[::2], items[1::2], strict=True):
        # A tuple as key is left out: hashing a crafted nest of tuples takes forever.
        if not isinstance(key, str | bytes | int | float | np.generic | None):
            raise TypeError(f"expected text or a number as key, got {type(key).__name__}")
        target[key] = _data(value)
    return target


def _dtype(arguments: tuple[Any, ...]) -> _Unfinished:
    text = _expect(arguments[0], str)
    if not _DTYPE_TEXT.fullmatch(text):
        raise _Refused(f"the numpy type {text!r}")
    return _Unfinished("dtype", text)


def _dtype_with_order(text: str, state: tuple[Any, ...]) -> np.dtype[Any]:
    if len(state) > 4 and (state[2] is not None or state[3] is not None):
        raise _Refused("a numpy record type")
    order = _expect(state[1], str)
    if order not in ("<", ">", "=", "|"):
        raise ValueError(f"unknown byte order {order!r}")
    return np.dtype(text).newbyteorder(order)


def _array(raw: Any, dtype: Any, shape: Any, fortran: Any) -> np.ndarray[Any, Any]:
    if not isinstance(dtype, np.dtype):
        raise TypeError("an array without a type")
    count = _count(shape)
    if dtype.hasobject:
        return _object_array(raw, shape, count)
    if isinstance(raw, str):  # Python 2 wrote bytes as text
        raw = raw.encode("latin1")
    if not isinstance(raw, bytes | bytearray) or len(raw) != count * dtype.itemsize:
        size = len(raw) if isinstance(raw, bytes | bytearray) else type(raw).__name__
        raise ValueError(f"an array of shape {shape} and type {dtype} holds {size} bytes")
    flat = np.frombuffer(bytes(raw), dtype) if count else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _object_array(raw: Any, shape: tuple[int, ...], count: int) -> np.ndarray[Any, Any]:
    items = _expect(raw, list)
    if len(items) != count:
        raise ValueError(f"an array of shape {shape} holds {len(items)} objects")
    flat = np.empty(count, dtype=object)
    for index, item in enumerate(items):
        flat[index] = item
    return flat.reshape(shape)


def _count(shape: Any) -> int:
    sizes = _expect(shape, tuple)
    if len(sizes) > 32 or not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError(f"impossible array shape {shape}")
    return math.prod(sizes)


def _scalar(arguments: tuple[Any, ...]) -> Any:
    dtype, raw = arguments
    if isinstance(dtype, np.dtype) and dtype.hasobject:
        raise _Refused("a numpy scalar that holds an object")
    return _array(raw, dtype, (), False)[()]


def _array_from_buffer(arguments: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    raw, dtype, shape, order = arguments
    if isinstance(dtype, np.dtype) and dtype.hasobject:
        raise _Refused("a buffer of objects")
    return _array(raw, dtype, shape, order == "F")


def _encoded(arguments: tuple[Any, ...]) -> bytes:
    text, encoding = arguments
    if encoding not in ("latin1", "latin-1"):
        raise _Refused(f"the text encoding {encoding!r}")
    return bytes(_expect(text, str), "latin1")


def _byte_array(arguments: tuple[Any, ...]) -> bytearray:
    if len(arguments) == 2:
        return bytearray(_encoded(arguments))
    return bytearray(_expect(arguments[0], bytes)) if arguments else bytearray()


def _ordered(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    pairs = _expect(arguments[0], list) if arguments else []
    return _fill({}, [item for pair in pairs for item in (pair[0], pair[1])])


_CALLS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "numpy.dtype": _dtype,
    "numpy.ndarray": lambda _: _Unfinished("array"),
    "_codecs.encode": _encoded,
    "builtins.bytearray": _byte_array,
    "__builtin__.bytearray": _byte_array,
    "__builtin__.bytes": lambda arguments: bytes(_byte_array(arguments)),
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": lambda _: {},
}
for _core in ("numpy.core", "numpy._core"):
    _CALLS[f"{_core}.multiarray._reconstruct"] = lambda _: _Unfinished("array")
    _CALLS[f"{_core}.multiarray.scalar"] = _scalar
    _CALLS[f"{_core}.numeric._frombuffer"] = _array_from_buffer
_BARE_NAMES = frozenset(
    f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("int", "float", "list", "dict")
)
