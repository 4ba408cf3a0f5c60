"""Pickles of arrays, lists, text and numbers, read without running anything that they ask for.

A pickle is a program: ``pickle.load`` imports and calls whatever it names. `read_pickle` follows only the instructions
that put data together, builds arrays itself from their bytes, and refuses every other name before it is looked up.
"""

import math
import pickletools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalistic.intact import AGAIN, check_whole

_MODULES = ("numpy.core.", "numpy._core.")  # numpy 1, numpy 2
_RECONSTRUCT = "multiarray._reconstruct"
_SCALAR = "multiarray.scalar"
_BUFFER = "numeric._frombuffer"
_KNOWN = {
    "numpy.ndarray": "ndarray",
    "numpy.dtype": "dtype",
    "_codecs.encode": "encode",
    "builtins.bytes": "bytes",
    "__builtin__.bytes": "bytes",
} | {module + name: name for module in _MODULES for name in (_RECONSTRUCT, _SCALAR, _BUFFER)}
_PLAIN_DTYPE = re.compile(r"[<>=|]?([?biufc]|[SU])\d*")  # no objects, no records
_LATIN = ("latin1", "latin-1")
# what an instruction without its operands raises here
_BROKEN = (
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    StopIteration,
    OverflowError,
    MemoryError,
    EOFError,
)
_KEYS = (str, int, float, bytes, type(None))
_ALLOWED = "arrays, lists, tuples, dicts, text, bytes, numbers and None"


class _RefusedError(ValueError):
    """A pickle asks for what is not data."""


class _Mark:
    """Where the items of a list, tuple or dict begin on the stack."""


@dataclass(frozen=True)
class _Name:
    """A name of numpy that a pickle may call, stood in for by its text."""

    name: str


@dataclass(eq=False)
class _DType:
    """A dtype that is being read."""

    code: str
    order: str = "="

    def to_numpy(self) -> np.dtype:
        if not _PLAIN_DTYPE.fullmatch(self.code):
            raise _RefusedError(f"an array of dtype {self.code!r}, which is no plain number or text")
        dtype = np.dtype(self.code)
        return dtype if self.order in "=|" else dtype.newbyteorder(self.order)


@dataclass(eq=False)
class _Unfilled:
    """An array whose shape and values come later, and the keys of the memo that hold it."""

    slots: list[int] = field(default_factory=list)


class _Limited:
    """A file that never hands out more bytes than it has, whatever length a pickle claims."""

    def __init__(self, file: Any, size: int) -> None:
        self._file = file
        self._size = size

    def read(self, n: int) -> bytes:
        return self._file.read(min(n, self._size - self._file.tell()))

    def readline(self) -> bytes:
        return self._file.readline()

    def tell(self) -> int:
        return self._file.tell()


def read_pickle(path: Path | str, advice: str = AGAIN) -> Any:
    """Return the data of a pickle that holds arrays, lists, tuples, dicts, text and numbers.

    Arrays are read as numpy 1 and numpy 2 pickle them, in all protocols; they are read-only views of the bytes of the
    file, so a file of 2 GB takes 2 GB.

    Parameters
    ----------
    path : str or Path
    advice : str
        What to do about a damaged file.

    Returns
    -------
    content : object

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        Naming the file: it was cut short, is no pickle, or asks for something else, with its module and name.
    """
    path = Path(path)
    check_whole(path, advice)
    try:
        with open(path, "rb") as file:
            content = _Reader().run(pickletools.genops(_Limited(file, path.stat().st_size)))
        _check_content(content)
    except _RefusedError as error:
        raise ValueError(
            f"{path} asks for {error}; expected a pickle of {_ALLOWED}. It is not opened: a pickle can run any code. "
            "Was it replaced, or written by another program?"
        ) from error
    except _BROKEN as error:
        raise ValueError(f"{path} was cut short or is no pickle ({error}); {advice}") from error
    return content


class _Reader:
    """A stack machine with the instructions of pickles that hold data."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.calls: dict[str, Callable] = {
            _RECONSTRUCT: self._reconstruct,
            _SCALAR: self._scalar,
            _BUFFER: self._from_buffer,
            "dtype": self._dtype,
            "encode": self._encode,
            "bytes": self._bytes,
        }

    def run(self, instructions: Iterator) -> Any:
        """Follow the instructions of a pickle, and return what they put together."""
        for opcode, argument, _ in instructions:
            name = opcode.name
            if name == "STOP":
                (content,) = self.stack
                return content
            if name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _LITERALS:
                self.stack.append(argument)
            elif name in _METHODS:
                _METHODS[name](self, argument)
            elif name not in ("PROTO", "FRAME"):
                raise _RefusedError(f"the instruction {name} of pickles ({argument!r})")
        raise ValueError("it has no end")

    def _since_mark(self) -> list[Any]:
        """Take off the stack what lies above the last mark, and the mark."""
        k = next(k for k in reversed(range(len(self.stack))) if isinstance(self.stack[k], _Mark))
        items = self.stack[k + 1 :]
        del self.stack[k:]
        return items

    def _take(self, n: int) -> list[Any]:
        if len(self.stack) < n:
            raise IndexError("an instruction lacks its operands")
        items = self.stack[len(self.stack) - n :]
        del self.stack[len(self.stack) - n :]
        return items

    def mark(self, _: Any) -> None:
        self.stack.append(_Mark())

    def new_list(self, _: Any) -> None:
        self.stack.append([])

    def new_dict(self, _: Any) -> None:
        self.stack.append({})

    def list_of(self, _: Any) -> None:
        self.stack.append(self._since_mark())

    def tuple_of(self, _: Any) -> None:
        self.stack.append(tuple(self._since_mark()))

    def tuple_1(self, _: Any) -> None:
        self.stack.append(tuple(self._take(1)))

    def tuple_2(self, _: Any) -> None:
        self.stack.append(tuple(self._take(2)))

    def tuple_3(self, _: Any) -> None:
        self.stack.append(tuple(self._take(3)))

    def dict_of(self, _: Any) -> None:
        items = self._since_mark()
        self.stack.append({})
        self._set(items)

    def append(self, _: Any) -> None:
        self._extend(self._take(1))

    def appends(self, _: Any) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise _RefusedError(f"items of a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(items)

    def set_item(self, _: Any) -> None:
        self._set(self._take(2))

    def set_items(self, _: Any) -> None:
        self._set(self._since_mark())

    def _set(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not dict:
            raise _RefusedError(f"keys of a {type(self.stack[-1]).__name__}")
        if bad := [key for key in items[::2] if not isinstance(key, _KEYS)]:
            raise _RefusedError(f"a dict with a key of type {type(bad[0]).__name__}")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def put(self, slot: int) -> None:
        self._remember(int(slot))

    def memoize(self, _: Any) -> None:
        self._remember(len(self.memo))

    def _remember(self, slot: int) -> None:
        value = self.stack[-1]
        self.memo[slot] = value
        if isinstance(value, _Unfilled):
            value.slots.append(slot)

    def get(self, slot: int) -> None:
        self.stack.append(self.memo[int(slot)])

    def global_name(self, text: str) -> None:
        self._push_name(*text.split(" ", 1))

    def stack_global(self, _: Any) -> None:
        module, name = self._take(2)
        self._push_name(str(module), str(name))

    def _push_name(self, module: str, name: str) -> None:
        known = _KNOWN.get(f"{module}.{name}")
        if known is None:
            raise _RefusedError(f"{module}.{name}")
        self.stack.append(_Name(known))

    def call(self, _: Any) -> None:
        """Call one of `calls`, by a name that was on the stack."""
        function, arguments = self._take(2)
        if not isinstance(function, _Name) or function.name not in self.calls or not isinstance(arguments, tuple):
            raise _RefusedError(f"a call of {getattr(function, 'name', type(function).__name__)}")
        self.stack.append(self.calls[function.name](*arguments))

    def build(self, _: Any) -> None:
        """Give the last dtype or array on the stack its state."""
        target, state = self._take(2)
        if isinstance(target, _DType):
            _set_order(target, state)
            self.stack.append(target)
        elif isinstance(target, _Unfilled):
            _, shape, dtype, is_fortran, values = state
            array = _array(values, dtype, shape, "F" if is_fortran else "C")
            for slot in target.slots:
                self.memo[slot] = array
            self.stack.append(array)
        else:
            raise _RefusedError(f"a state of a {type(target).__name__}")

    @staticmethod
    def _reconstruct(kind: Any, *_: Any) -> _Unfilled:
        if kind != _Name("ndarray"):
            raise _RefusedError("a kind of array that is no numpy.ndarray")
        return _Unfilled()

    @staticmethod
    def _from_buffer(values: Any, dtype: Any, shape: Any, order: Any) -> NDArray:
        return _array(values, dtype, shape, order)

    @staticmethod
    def _scalar(dtype: Any, values: Any) -> Any:
        return _array(values, dtype, (), "C")[()]

    @staticmethod
    def _dtype(code: Any, *_: Any) -> _DType:
        if not isinstance(code, str) or not _PLAIN_DTYPE.fullmatch(code):
            raise _RefusedError(f"an array of dtype {code!r}, which is no plain number or text")
        return _DType(code)

    @staticmethod
    def _encode(text: Any, encoding: Any = "latin1") -> bytes:
        if encoding not in _LATIN:
            raise _RefusedError(f"the encoding {encoding!r}")
        return text.encode("latin1")

    @staticmethod
    def _bytes(*arguments: Any) -> bytes:
        if arguments:
            raise _RefusedError("a call of bytes with arguments")
        return b""


def _set_order(dtype: _DType, state: Any) -> None:
    """Take the byte order from the state of a dtype, and refuse records, subarrays and changed flags."""
    if not isinstance(state, tuple) or len(state) < 5 or any(each is not None for each in state[2:5]):
        raise _RefusedError("an array of records")
    if state[1] not in ("<", ">", "=", "|"):
        raise ValueError(f"a dtype has the byte order {state[1]!r}")
    dtype.order = state[1]


def _array(values: Any, dtype: Any, shape: Any, order: Any) -> NDArray:
    """Return the array of some bytes, which have to be as many as its shape takes."""
    if not isinstance(dtype, _DType):
        raise _RefusedError("an array without a dtype")
    if isinstance(values, str):
        values = values.encode("latin1")  # as Python 2 wrote them
    if not isinstance(values, (bytes, bytearray)):
        raise _RefusedError("an array whose values are no bytes")
    kind = dtype.to_numpy()
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or order not in ("C", "F"):
        raise ValueError(f"an array has the shape {shape!r} in the order {order!r}")
    expected = math.prod(shape) * kind.itemsize
    if len(values) != expected:
        raise ValueError(f"an array of shape {shape} takes {expected:,} bytes, and has {len(values):,}")
    if not expected:
        return np.zeros(shape, dtype=kind)
    array = np.frombuffer(values, dtype=kind).reshape(shape, order=order)
    array.flags.writeable = False
    return array


def _check_content(content: Any) -> None:
    """Refuse content in which a name, or an array without values, was left."""
    pending = [content]
    seen = set()
    while pending:
        item = pending.pop()
        if isinstance(item, (_Name, _DType, _Unfilled, _Mark)):
            raise _RefusedError(f"{getattr(item, 'name', None) or 'an array without values'}, by itself")
        if isinstance(item, (list, tuple, dict)) and id(item) not in seen:
            seen.add(id(item))
            pending.extend(item.values() if isinstance(item, dict) else item)


_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE "
    "SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
)
_METHODS: dict[str, Callable[[_Reader, Any], None]] = {
    "MARK": _Reader.mark,
    "EMPTY_LIST": _Reader.new_list,
    "EMPTY_DICT": _Reader.new_dict,
    "LIST": _Reader.list_of,
    "TUPLE": _Reader.tuple_of,
    "TUPLE1": _Reader.tuple_1,
    "TUPLE2": _Reader.tuple_2,
    "TUPLE3": _Reader.tuple_3,
    "DICT": _Reader.dict_of,
    "APPEND": _Reader.append,
    "APPENDS": _Reader.appends,
    "SETITEM": _Reader.set_item,
    "SETITEMS": _Reader.set_items,
    "PUT": _Reader.put,
    "BINPUT": _Reader.put,
    "LONG_BINPUT": _Reader.put,
    "MEMOIZE": _Reader.memoize,
    "GET": _Reader.get,
    "BINGET": _Reader.get,
    "LONG_BINGET": _Reader.get,
    "GLOBAL": _Reader.global_name,
    "STACK_GLOBAL": _Reader.stack_global,
    "REDUCE": _Reader.call,
    "BUILD": _Reader.build,
}
