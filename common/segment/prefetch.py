"""`prefetch`: asks the processor for a cache line that will be needed soon. It is a hint and changes nothing else."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload


def prefetch(array: Any, i: int) -> None:
    """Begin to load entry `i` of a one-dimensional array. Nothing happens outside a kernel."""


@intrinsic
def _prefetch(_typing: Any, array: Any, i: Any) -> Any:
    if not (isinstance(array, types.Array) and array.ndim == 1):
        raise TypeError(f"prefetch works on one-dimensional arrays, not {array}")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        entries = context.make_array(signature.args[0])(context, builder, args[0])
        offset = builder.mul(args[1], builder.extract_value(entries.strides, 0))
        address = builder.gep(builder.bitcast(entries.data, cgutils.voidptr_t), [offset])
        number = ir.IntType(32)
        hint = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, hint, "llvm.prefetch.p0")  # type: ignore[no-untyped-call] # numba is partly typed
        builder.call(function, [address, number(0), number(3), number(1)])  # to read, to be kept, data
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


overload(prefetch)(lambda array, i: lambda array, i: _prefetch(array, i))  # type: ignore[call-arg] # numba adds the context
