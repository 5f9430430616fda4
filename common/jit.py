"""`kernel`: how a function becomes machine code, once, and from then on comes from the cache.

numba notices a change of the file a kernel stands in, not of the constants and functions it takes from others;
so the cache folder is named after the contents of all files that kernels are made of.
"""

import contextlib
import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_SOURCES = (
    *(f"common/{name}.py" for name in ("jit", "layout", "atomics", "prefetch", "bitset", "symbols", "swap", "rows")),
    "common/intake.py",
    "common/traderapi/indicator_kernels.py",
    "services/feed/state.py",
)
_ROOT = Path(__file__).resolve().parent.parent


def _digest() -> str:
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for source in (*_SOURCES, *sorted(str(p.relative_to(_ROOT)) for p in (_ROOT / "services").glob("*/*kernels.py"))):
        digest.update((_ROOT / source).read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where this version's machine code is kept: below `XDG_CACHE_HOME`, or `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tickflag" / f"kernels-{_digest()}"


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined] # numba sets its options dynamically


def kernel(function: F) -> F:
    """Compile on first call for the types it is called with. `function.py_func` is the plain twin.

    Kernels allocate nothing, so numba need not count references to the arrays they pass on (`_nrt`); with that, and
    with inner kernels inlined, a tick costs a twentieth.
    """
    options: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "forceinline": True, "_nrt": False}
    return cast(F, numba.njit(**options)(function))


def direct(function: F, *like: Any) -> F:
    """`function` for positional arguments of the types of `like`, without numba's look at the types in every call.

    That look takes longer than most kernels do, above all at tuples of arrays. Nothing takes its place: arrays must
    have the element type, dimensions and contiguity of those in `like`. A plain twin comes back as it is.
    """
    compiled = getattr(function, "compile", None)
    types: Any = numba.typeof  # untyped
    return cast(F, compiled(tuple(map(types, like)))) if compiled else function


@contextlib.contextmanager
def warming(role: str, say: Callable[[], None]) -> Iterator[None]:
    """Around a role's warm-up. `say` is called where there is something to compile; other processes wait meanwhile,
    so that kernels two roles share are compiled once."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # gone with the file, also where compiling fails
        warm = folder / f"{role}.warm"
        if not warm.exists():
            say()
        yield
        warm.touch()
