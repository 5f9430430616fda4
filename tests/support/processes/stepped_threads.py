"""Turns: two threads led step by step, of which one runs at a time. A step ends before an ordered access and after a
store, as a store tells the others of what was to be done before it.

It works on the plain twins of kernels (`tests/support/kernels.py`): there an access is a function, which can wait.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

LOADS = ("load_relaxed", "load_acquire")
STORES = ("store_relaxed", "store_release", "fetch_or", "fetch_and")
_led = threading.local()


class Side:
    """`act` in a thread of its own, as far as it is led; what it raises, `finish` raises."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._go, self._rests = threading.Semaphore(0), threading.Semaphore(0)
        self._over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> bool:
        """On to the next access; False where there is none, and all is done."""
        if not self._over:
            self._go.release()
            self._rests.acquire()
        return not self._over

    def finish(self) -> None:
        while self.step():
            pass
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        self._go.acquire()
        _led.side = self
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001 # handed over to the thread that leads
            self._error = error
        self._over = True
        self._rests.release()

    def wait(self) -> None:
        """Called by its thread: until it is led on."""
        self._rests.release()
        self._go.acquire()


@contextmanager
def led_accesses(*modules: ModuleType) -> Iterator[None]:
    """Inside the block a thread that is led waits at each ordered access that a kernel of `modules` makes."""
    with ExitStack() as stack:
        for module in modules:
            for name in (*LOADS, *STORES):
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, _led_one(getattr(module, name), name in STORES)))
        yield


def _led_one(access: Callable[..., Any], stores: bool) -> Callable[..., Any]:
    def led(*arguments: Any) -> Any:
        side: Side | None = getattr(_led, "side", None)
        if side is None:
            return access(*arguments)
        side.wait()
        result = access(*arguments)
        if stores:
            side.wait()
        return result

    return led
