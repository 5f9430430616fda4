"""Progress: a bar on standard error, where that is a terminal."""

import sys
from typing import Any, Self


class Progress:
    """Use it in a `with` block; with `shown` off it shows nothing."""

    def __init__(self, what: str, total: int, shown: bool = True) -> None:
        self._bar: Any = None
        self._total = total
        if shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True))
            self._task = self._bar.add_task(what, total=total)

    def reach(self, done: int) -> None:
        """So much of the total is done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: object, *_exception: object) -> None:
        if self._bar is not None:
            if kind is None:  # what was left out is done as well
                self.reach(self._total)
            self._bar.stop()
