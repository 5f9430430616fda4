"""Ordered access to shared words: real LLVM atomics and fences for numba, and their plain twins.

Plain loads and stores in a kernel may be reordered or hoisted by the compiler and the processor. Every access whose
order matters goes through here, so that it is right on ARM as on x86-64. `words` is a one-dimensional array of 4- or
8-byte integers (loads also work on read-only ones); `i` is not bounds-checked.

Outside a kernel the functions are plain Python: right for one thread, which is enough for the plain twins of kernels.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

SharedWords = np.ndarray[Any, Any]
_WORDS = {"int32", "uint32", "int64", "uint64"}


def load_relaxed(words: SharedWords, i: int) -> Any:
    """The word, untorn; not ordered with other accesses."""
    return words[i]


def load_acquire(words: SharedWords, i: int) -> Any:
    """The word; what its writer stored before the release is seen by every later access."""
    return words[i]


def store_relaxed(words: SharedWords, i: int, value: Any) -> None:
    """Store untorn; not ordered with other accesses."""
    words[i] = value


def store_release(words: SharedWords, i: int, value: Any) -> None:
    """Store after every earlier access: a reader that acquires the new word sees them all."""
    words[i] = value


def fetch_or(words: SharedWords, i: int, mask: Any) -> Any:
    """Set the bits of `mask` in one step, as other threads and processes see it; gives the word before."""
    before = words[i]
    words[i] = before | mask
    return before


def fetch_and(words: SharedWords, i: int, mask: Any) -> Any:
    """Keep only the bits of `mask` in one step, as other threads and processes see it; gives the word before."""
    before = words[i]
    words[i] = before & mask
    return before


def fence_acquire() -> None:
    """Earlier loads stay before every later access."""


def fence_release() -> None:
    """Earlier accesses stay before every later store."""


def trailing_zeros(word: Any) -> int:
    """Number of the lowest set bit; the word must not be 0."""
    number = int(word)
    return (number & -number).bit_length() - 1


def population(word: Any) -> int:
    """How many bits are set."""
    return int(word).bit_count()


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _checked(words: Any) -> Any:
    if not (isinstance(words, types.Array) and words.ndim == 1 and words.layout == "C"):
        raise TypeError(f"atomics work on contiguous one-dimensional arrays, not {words}")
    if str(words.dtype) not in _WORDS:
        raise TypeError(f"atomics work on 4- or 8-byte integers, not {words.dtype}")
    return words.dtype


def _writable(words: Any) -> Any:
    if not words.mutable:  # a store into a read-only mapping would end the process
        raise TypeError(f"{words} is read-only")
    return _checked(words)


def _load(ordering: str) -> Any:
    @intrinsic
    def load(_typing: Any, words: Any, i: Any) -> Any:
        dtype = _checked(words)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = _address(context, builder, signature.args[0], args[0], args[1])
            return builder.load_atomic(address, ordering, dtype.bitwidth // 8, typ=ir.IntType(dtype.bitwidth))

        return dtype(words, types.intp), codegen

    return load


def _store(ordering: str) -> Any:
    @intrinsic
    def store(_typing: Any, words: Any, i: Any, value: Any) -> Any:
        dtype = _writable(words)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = _address(context, builder, signature.args[0], args[0], args[1])
            builder.store_atomic(args[2], address, ordering, dtype.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(words, types.intp, dtype), codegen

    return store


def _modify(operation: str) -> Any:
    @intrinsic
    def modify(_typing: Any, words: Any, i: Any, mask: Any) -> Any:
        dtype = _writable(words)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = _address(context, builder, signature.args[0], args[0], args[1])
            return builder.atomic_rmw(operation, address, args[2], "acq_rel")

        return dtype(words, types.intp, dtype), codegen

    return modify


def _fence(ordering: str) -> Any:
    @intrinsic
    def fence(_typing: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.fence(ordering)
            return context.get_dummy_value()

        return types.void(), codegen

    return fence


@intrinsic
def _cttz(_typing: Any, word: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        count = builder.cttz(args[0], cgutils.true_bit)
        return context.cast(builder, count, signature.args[0], types.intp)

    return types.intp(word), codegen


@intrinsic
def _ctpop(_typing: Any, word: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.cast(builder, builder.ctpop(args[0]), signature.args[0], types.intp)

    return types.intp(word), codegen


_load_monotonic, _load_acquire = _load("monotonic"), _load("acquire")
_store_monotonic, _store_release = _store("monotonic"), _store("release")
_or, _and = _modify("or"), _modify("and")
_acquire, _release = _fence("acquire"), _fence("release")


# Inside kernels the functions above become these.
overload(load_relaxed)(lambda words, i: lambda words, i: _load_monotonic(words, i))
overload(load_acquire)(lambda words, i: lambda words, i: _load_acquire(words, i))
overload(store_relaxed)(lambda words, i, value: lambda words, i, value: _store_monotonic(words, i, value))
overload(store_release)(lambda words, i, value: lambda words, i, value: _store_release(words, i, value))
overload(fetch_or)(lambda words, i, mask: lambda words, i, mask: _or(words, i, mask))
overload(fetch_and)(lambda words, i, mask: lambda words, i, mask: _and(words, i, mask))
overload(fence_acquire)(lambda: lambda: _acquire())
overload(fence_release)(lambda: lambda: _release())
overload(trailing_zeros)(lambda word: lambda word: _cttz(word))  # type: ignore[call-arg] # numba adds the context
overload(population)(lambda word: lambda word: _ctpop(word))  # type: ignore[call-arg] # as above
