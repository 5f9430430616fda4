"""Structured logging: one line an event, to standard output, with the service as a field."""

import logging
import sys
from typing import Any

import structlog

Logger = structlog.typing.FilteringBoundLogger


def configure(service: str, level: str = "info", style: str = "console") -> Logger:
    """Set up the process's log. `style` is `console` or `json`."""
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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    logger: Logger = structlog.get_logger(service=service)
    return logger
