"""Kernels as plain Python: the same bodies without the compiler."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from unittest.mock import patch

PACKAGE = "tickflag"


@contextmanager
def plain_kernels(*modules: ModuleType) -> Iterator[None]:
    """Inside the block every kernel of `modules` (by default of all our loaded modules) is its plain twin."""
    with ExitStack() as stack:
        for module in modules or _ours():
            for name, value in list(vars(module).items()):
                plain = getattr(value, "py_func", None)
                if plain is not None:
                    stack.enter_context(patch.object(module, name, plain))
        yield


def _ours() -> list[ModuleType]:
    return [module for name, module in list(sys.modules.items()) if name.split(".")[0] == PACKAGE]
