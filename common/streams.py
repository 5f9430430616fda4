"""Streams: standard output and standard error, whatever encoding the terminal has, and where they are closed."""

import contextlib
import io
import os
import sys
from typing import TextIO


def accept_any_text() -> None:
    """Let both streams take every text: a name that the encoding cannot say is written as `\\u5e01`.

    A stream that is closed takes all and drops it. Call it once, before anything is written.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the process ends
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def visible(text: str) -> str:
    """The text with `\\x1b` and the like for characters that control a terminal or turn the order of others about.
    Ends of lines and tabs stay."""
    return "".join(one if one.isprintable() or one in "\n\t" else _escape(one) for one in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def says_all(stream: object) -> bool:
    """Whether the stream's encoding has every character, so that nothing need be escaped."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return str(encoding).lower().replace("-", "").startswith("utf")


def complain(text: str) -> None:
    """Write a line to standard error; nothing happens where that takes none."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def drop_unwritten() -> None:
    """Call it last: Python writes what the streams still hold when the process ends, and a stream that takes nothing
    would spoil the exit code then."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            silence(stream)


def silence(stream: TextIO) -> None:
    """Let everything that is still written to the stream go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
