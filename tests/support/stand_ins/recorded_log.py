"""RecordedLog: stands in for the log and keeps its lines."""

import logging
from typing import Any


class RecordedLog:
    """`lines` holds (level, event, fields)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def debug(self, event: str, **fields: Any) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: Any) -> None:
        self.lines.append(("error", event, fields))

    def log(self, level: int, event: str, **fields: Any) -> None:
        """A line of a level by number, as the standard library has them."""
        self.lines.append((logging.getLevelName(level).lower(), event, fields))

    def events(self) -> list[str]:
        return [event for _, event, _ in self.lines]
