"""`kernel`: compiles a function to machine code once; from then on the machine code comes from a cache.

numba notices a change in the file of a kernel, but not in constants or functions that the kernel takes from other
files. So the cache folder is named after the contents of all files that kernels are made of. numba keeps machine code
as pickles: who can write to the folder can run code, so nobody else may.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_SOURCES = ("common/jit.py", "common/units.py", "services/feed/market/state.py")
_FOLDERS = ("common/segment", "common/protocol")
_ROOT = Path(__file__).resolve().parent.parent


def _sources() -> list[str]:
    """Every file that kernels are made of, relative to the root: those named above, and all `*kernels.py`."""
    found = {path for folder in _FOLDERS for path in (_ROOT / folder).glob("*.py")}
    found |= {path for part in ("common", "services") for path in (_ROOT / part).rglob("*kernels.py")}
    return sorted({*_SOURCES, *(str(path.relative_to(_ROOT)) for path in found)})


def _digest() -> str:
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for source in _sources():
        digest.update((_ROOT / source).read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where this version's machine code is kept: below `XDG_CACHE_HOME`, or `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "tickflag" / f"kernels-{_digest()}"


def prepare_cache() -> Path | None:
    """Make the cache folder, which nobody else may write: machine code is loaded from it, so who writes there runs code
    as this user. Where that cannot be done, make one below the temporary folder and say so; None where that fails too.

    Processes that this one starts use the same folder.
    """
    wanted = cache_folder()
    try:
        if not wanted.is_absolute():  # a user without a home folder
            raise FileNotFoundError(errno.ENOENT, "no home folder", str(wanted))
        _make_private(wanted.parent, wanted)
        return wanted
    except OSError as error:
        reason = error.strerror
    former = os.environ.get("XDG_CACHE_HOME")
    for base in dict.fromkeys((tempfile.gettempdir(), "/dev/shm")):
        instead = Path(base) / f"tickflag-cache-{os.getuid()}"
        os.environ["XDG_CACHE_HOME"] = str(instead)
        with contextlib.suppress(OSError):
            _make_private(instead, cache_folder().parent, cache_folder())
            _warn(f"{wanted.parent}: {reason}: compiled kernels are kept in {instead}; set XDG_CACHE_HOME")
            return cache_folder()
    os.environ["XDG_CACHE_HOME"] = former or ""
    _warn(f"{wanted.parent}: {reason}: every process compiles its kernels anew; set XDG_CACHE_HOME")
    return None


def _accept_named() -> bool:
    """Whether the folder that `NUMBA_CACHE_DIR` names can be used. Where others may write to it or to what is in it,
    say so, and take the variable out of the environment, for the processes that this one starts too."""
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    try:
        if _own(folder).st_mode & _OTHERS_WRITE:
            raise PermissionError(errno.EPERM, "others may write to it", str(folder))
        for inner in folder.rglob("*"):  # made under a careless umask, or while the folder was open to others
            try:
                found = inner.lstat()
            except FileNotFoundError:  # another process has put it into place
                continue
            if found.st_uid != os.getuid() or found.st_mode & _OTHERS_WRITE:
                raise PermissionError(errno.EPERM, f"others may write to {inner.name} in it", str(folder))
    except OSError as error:
        del os.environ["NUMBA_CACHE_DIR"]
        _warn(f"NUMBA_CACHE_DIR is not used: {folder}: {error.strerror}: name a folder that only you may write to")
        return False
    return True


def _own(folder: Path) -> os.stat_result:
    """Make the folder, unless it is there. Raises OSError where that fails, or it is a link or another user's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "is a link or a file", str(folder))
    if found.st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "belongs to another user", str(folder))
    return found


def _make_private(*folders: Path) -> None:
    """Make the folders, each in the one before. Raises OSError where that fails, one is another user's, or the disk has
    no room."""
    for folder in folders:
        found = _own(folder)
        if found.st_mode & _OTHERS_WRITE:  # others may have put machine code there
            shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
        elif stat.S_IMODE(found.st_mode) != 0o700:
            folder.chmod(0o700)
    with tempfile.TemporaryFile(dir=folders[-1]):
        pass
    if shutil.disk_usage(folders[-1]).free < ROOM_BYTES and not list(folders[-1].glob("*.warm")):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folders[-1]))


def _warn(text: str) -> None:
    with contextlib.suppress(OSError, AttributeError):  # standard error may be closed
        sys.stderr.write(f"tickflag: {text}\n")


_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
ROOM_BYTES = 32_000_000
"""What the machine code of all roles needs, generously."""

_keeps = True
if not (os.environ.get("NUMBA_CACHE_DIR") and _accept_named()):
    _folder = prepare_cache()
    _keeps = _folder is not None
    numba.config.CACHE_DIR = str(_folder or "")  # type: ignore[attr-defined] # numba sets its options dynamically


def kernel(function: F) -> F:
    """The function as a kernel, compiled at its first call for the types of that call. `py_func` is the plain twin.

    Kernels allocate nothing, so numba need not count references to the arrays that they pass on (`_nrt`). This and the
    inlining of inner kernels make a tick twenty times cheaper.
    """
    options: dict[str, Any] = {
        "cache": _keeps,
        "nogil": True,
        "error_model": "numpy",
        "forceinline": True,
        "_nrt": False,
    }
    return cast(F, numba.njit(**options)(function))


def direct(function: F, *like: Any) -> F:
    """`function` compiled for positional arguments of the types of `like`, without numba's check of types in each call.

    That check takes longer than most kernels do, above all for tuples of arrays. Nothing replaces the check: each array
    must have the element type, dimensions and contiguity of its example in `like`. A plain twin is returned unchanged.
    """
    compiled = getattr(function, "compile", None)
    types: Any = numba.typeof  # untyped
    return cast(F, compiled(tuple(map(types, like)))) if compiled else function


@contextlib.contextmanager
def warming(role: str, say: Callable[[], None]) -> Iterator[None]:
    """Put a role's warm-up into this block. `say` is called first if this version was never warmed up. Other processes
    wait meanwhile, so kernels that two roles share are compiled once."""
    folder = prepare_cache()
    if folder is None:
        say()
        yield
        return
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # closing the file releases the lock, also where compiling fails
        warm = folder / f"{role}.warm"
        if not warm.exists():
            say()
        yield
        warm.touch()
