"""The few exceptions that more than one module raises, and the exit codes that tell of them."""

import errno
import json
import re
from collections.abc import Iterator

EXIT_FAILED = 1
EXIT_ALREADY_RUNNING = 75


_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
NO_DESCRIPTORS = (
    "Too many open files: raise the limit (`ulimit -n 1024`, `LimitNOFILE=`), or look what has so many open"
)
NO_MEMORY = "too little memory: see `ulimit -v`, or what else runs here"
NO_THREADS = "no thread or process can be started: see `ulimit -u` and `ulimit -v`, or what else runs here"
_OF_MEMORY = re.compile("failed to map segment|[Cc]annot allocate memory|[Cc]an't allocate memory")
_OF_ARROW = re.compile(r"\b(?:m|re)alloc of size (\d+) failed")
_OF_THREADS = re.compile("can't start new thread|[Ff]ailed to launch worker thread")
_PLAUSIBLE_BYTES = 1 << 34  # a damaged file asks for more


class TickflagError(Exception):
    """A mistake of a user, an operator or a peer. The message names the thing at fault and what to do."""


class AlreadyRunning(TickflagError):  # noqa: N818 - reads as the state it reports
    """Another process holds the role. A service then exits with status 75."""


class SegmentError(TickflagError):
    """The segment cannot be created or used."""


class SymbolTableFull(SegmentError):  # noqa: N818 - reads as the state it reports
    """Every slot of the segment is taken; the new symbol is refused and the rest goes on."""


class MessageError(TickflagError):
    """A frame that is not one of our messages: too large, damaged, of unknown kind or with a wrong field."""


class PluginError(TickflagError):
    """A trader plugin broke its contract; the message names the plugin and the hook."""


def damage_in_words(error: BaseException) -> str:
    """What is wrong with a file of ours of which reading, or looking into what it holds, failed with that error."""
    if isinstance(error, OSError):
        return error.strerror or "it cannot be read"
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON: {error.msg}, line {error.lineno}"
    if isinstance(error, UnicodeDecodeError):
        return "no text"
    if isinstance(error, KeyError) and error.args:
        return f"{str(error.args[0])[:80]!r} is missing, or means nothing"
    return "a value is of another kind, or out of its limits"


def is_shortage(error: BaseException) -> bool:
    """Whether the error of the system, or of ZeroMQ, says that descriptors or memory are short. That may pass by
    itself, and tells nothing of the file or socket at hand."""
    return getattr(error, "errno", None) in _SHORTAGES


def shortage_of(error: BaseException) -> str:
    """What the machine lacks, in one line, where the error or one that led to it says so; empty where none does.

    Libraries say it in errors of many kinds, also as of a file that is damaged or of a library that is not installed.
    """
    if isinstance(error, BlockingIOError) and not hasattr(error, "characters_written"):  # of a fork, not of an output
        return NO_THREADS
    return next(filter(None, map(_shortage, _chain(error))), "")


def _shortage(error: BaseException) -> str:
    if getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE):
        return NO_DESCRIPTORS
    text = str(error)
    if _OF_THREADS.search(text):
        return NO_THREADS
    asked = _OF_ARROW.search(text)
    if asked is not None:
        return NO_MEMORY if int(asked[1]) < _PLAUSIBLE_BYTES else ""
    lacks = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM or _OF_MEMORY.search(text)
    return NO_MEMORY if lacks else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that led to it, the latest first."""
    one: BaseException | None = error
    seen: set[int] = set()
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
