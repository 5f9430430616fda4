"""Run kernels as plain Python: the same bodies without the compiler."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from unittest.mock import patch

import common.bitset
import common.rows
import common.swap
import common.symbols
import services.feed.kernels
import services.feed.market

MODULES = (
    common.bitset,
    common.rows,
    common.swap,
    common.symbols,
    services.feed.kernels,
    services.feed.market,
)


@contextmanager
def plain_kernels(*modules: ModuleType) -> Iterator[None]:
    """Inside the block every kernel of `modules` (all known ones by default) is its plain twin."""
    with ExitStack() as stack:
        for module in modules or MODULES:
            for name, value in list(vars(module).items()):
                plain = getattr(value, "py_func", None)
                if plain is not None:
                    stack.enter_context(patch.object(module, name, plain))
        yield
