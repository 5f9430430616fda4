"""ProgressBar: a bar on standard error, where that is a terminal."""

import sys
from collections.abc import Callable
from typing import Any, Self


class ProgressBar:
    """Use it in a `with` block. With `shown` off it shows nothing.

    Either the block calls `reach`, or `done` gives how much of `total` is done: the bar asks it some times a second, in
    a thread of its own. So it moves whatever the block does meanwhile, and costs it nothing.
    """

    def __init__(self, what: str, total: int, shown: bool = True, done: Callable[[], int] | None = None) -> None:
        self._bar: Any = None
        self._total = total
        if shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            class Polled(Progress):
                def get_renderables(self) -> Any:
                    if done is not None and not self.finished:
                        self.update(task, completed=min(max(done(), 0), total))
                    return super().get_renderables()

            self._bar = Polled(console=Console(stderr=True))
            self._task = task = self._bar.add_task(what, total=total)

    def reach(self, done: int) -> None:
        """Show that `done` of the total is done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: object, *_exception: object) -> None:
        if self._bar is not None:
            if kind is None:  # the block may have left out a part of the total, but it is done
                self.reach(self._total)
            self._bar.stop()
