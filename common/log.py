"""Structured logging: one line an event, to standard output, with the service as a field."""

import errno
import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO

import structlog

from tickflag.common.streams import visible

Logger = structlog.typing.FilteringBoundLogger


_GONE = {errno.EPIPE, errno.EIO}  # the reader has ended, the terminal was closed


class _LogOutput:
    """Standard output for the log. What it does not take is dropped: a log is not worth a failure.

    `on_gone` is called where nobody can read the log any more.
    """

    def __init__(self, stream: TextIO, on_gone: Callable[[], None]) -> None:
        self._stream, self._on_gone = stream, on_gone

    def write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except OSError as error:
            self._look_at(error)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._look_at(error)

    def _look_at(self, error: OSError) -> None:
        if error.errno in _GONE:
            self._on_gone()


def configure(
    service: str, level: str = "info", style: str = "console", on_gone: Callable[[], None] = lambda: None
) -> Logger:
    """Set up the process's log. `style` is `console` or `json`; `on_gone` is called, perhaps often, once the reader of
    standard output has ended or its terminal was closed."""
    renderer: Any = structlog.processors.JSONRenderer()
    if style == "console":
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), pad_event_to=24, exception_formatter=plain)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso" if style == "json" else "%H:%M:%S.%f", utc=style == "json"),
            structlog.processors.format_exc_info,
            *((_make_visible,) if style == "console" else ()),  # JSON has its own words for them
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(_LogOutput(sys.stdout, on_gone)),  # type: ignore[arg-type] # all that is used
        cache_logger_on_first_use=False,
    )
    logger: Logger = structlog.get_logger(service=service)
    return logger


def _make_visible(_logger: Any, _method: str, event: Any) -> Any:
    """Keep names of symbols and texts of peers from controlling the terminal."""
    return {key: visible(value) if isinstance(value, str) else value for key, value in event.items()}
