"""Threads led step by step, of which one runs at a time.

A step ends before an ordered access and after a store, because a store tells the others of the work before it. Threads
are led through the plain twins of kernels (`tests/support/stand_ins/kernels.py`): there an access is a function, which
can wait.
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


class SteppedThread:
    """`act` in a thread of its own that runs only as far as it is led. `finish` raises what `act` raised."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._go, self._rests = threading.Semaphore(0), threading.Semaphore(0)
        self._over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> bool:
        """Run to the next access; False where there is none and `act` has ended."""
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
        """Block until the thread is led on. Called by the thread itself."""
        self._rests.release()
        self._go.acquire()


@contextmanager
def led_accesses(*modules: ModuleType) -> Iterator[None]:
    """Inside the block a led thread waits at each ordered access that a kernel of `modules` makes."""
    with ExitStack() as stack:
        for module in modules:
            for name in (*LOADS, *STORES):
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, _led_one(getattr(module, name), name in STORES)))
        yield


def _led_one(access: Callable[..., Any], stores: bool) -> Callable[..., Any]:
    def led(*arguments: Any) -> Any:
        side: SteppedThread | None = getattr(_led, "side", None)
        if side is None:
            return access(*arguments)
        side.wait()
        result = access(*arguments)
        if stores:
            side.wait()
        return result

    return led
