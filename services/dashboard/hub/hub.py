"""Hub: looks at the engine in one thread, for all who look at the dashboard."""

import contextlib
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from types import TracebackType
from typing import Any, Self

from tickflag.common.errors import TickflagError
from tickflag.common.kept_switch import KeptSwitch
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.wire.requests import Unreachable
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.lookout import Lookout
from tickflag.services.dashboard.hub.viewer import Viewer

MONITORING_OFF = "monitoring.off"
"""File of the state folder that is there while monitoring is off."""
_Task = Callable[[Lookout], None]


class Hub:
    """Runs its thread inside a `with` block. Every method may be called from any thread, and returns at once."""

    def __init__(self, settings: Settings, runtime: Runtime, log: Logger) -> None:
        self._settings, self._runtime, self._log = settings, runtime, log
        self._switch = KeptSwitch(settings.state_folder() / MONITORING_OFF, default=True)
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._futures: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)

    @property
    def monitoring(self) -> bool:
        """Whether the engine is looked at; False where sampling is switched off."""
        return self._switch.on

    def subscribe(self, viewer: Viewer, identity: int, topic: str, arguments: Mapping[str, Any]) -> None:
        """Begin to put answers to the viewer, at once and then as they change; replaces what has the same id.

        A refusal goes to `viewer.refuse`.
        """
        self._tasks.put(lambda lookout: lookout.subscribe(viewer, identity, topic, arguments))

    def unsubscribe(self, viewer: Viewer, identity: int) -> None:
        """End a subscription; one that is unknown, too."""
        self._tasks.put(lambda lookout: lookout.unsubscribe(viewer, identity))

    def drop(self, viewer: Viewer) -> None:
        """End all subscriptions of a viewer, and forget it."""
        self._tasks.put(lambda lookout: lookout.drop(viewer))

    def once(self, topic: str, arguments: Mapping[str, Any], trusted: bool) -> Future[Answer]:
        """The present answer. The future raises `Refused`, its subclasses, or Unreachable where a service does not
        answer."""
        return self._promised(lambda lookout, future: lookout.once(topic, arguments, trusted, future))

    def find_signals(self, arguments: Mapping[str, Any]) -> Future[Any]:
        """One step of a search in the journal: the collector's answer to `signals.find`, which is kept nowhere."""
        return self._promised(lambda lookout, future: lookout.find_signals(arguments, future))

    def do(self, what: str, arguments: Mapping[str, Any], who: str) -> Future[Any]:
        """Carry out a command of one who has the token; `who` is for the history of changes. The future gives the
        result, and raises TickflagError with the words of the one who refuses."""
        return self._promised(lambda lookout, future: lookout.do(what, arguments, who, future))

    def _promised(self, work: Callable[[Lookout, Future[Any]], None]) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._ended:
                future.set_exception(Unreachable("the dashboard ends"))
                return future
            self._futures.add(future)
        future.set_running_or_notify_cancel()  # so nobody can cancel it under the hub
        future.add_done_callback(self._forget)

        def task(lookout: Lookout) -> None:
            try:
                work(lookout, future)
            except TickflagError as error:
                future.set_exception(error)
            except Exception as error:
                future.set_exception(TickflagError(f"the dashboard failed: {type(error).__name__}: {error}"))
                raise

        self._tasks.put(task)
        return future

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            self._futures.discard(future)

    def _run(self) -> None:
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 - our own bug: the web must hear of it, not hang
            self._log.error("the dashboard's hub failed", exc_info=error)
        finally:
            self._fail_all()

    def _look(self) -> None:
        lookout = Lookout(self._settings, self._runtime, self._log, self._switch)
        try:
            while True:
                wait_s = self._guarded(lookout.turn, 1.0)
                try:
                    task = self._tasks.get(timeout=wait_s) if wait_s > 0 else self._tasks.get_nowait()
                    while task is not None:
                        self._guarded(lambda task=task: task(lookout), None)  # type: ignore[misc] # bound as a default
                        task = self._tasks.get_nowait()
                    return
                except queue.Empty:
                    pass
        finally:
            lookout.close()

    def _guarded(self, work: Callable[[], Any], instead: Any) -> Any:
        """The result of `work`; where it fails by a bug of ours, a line in the log and `instead`."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - one bug must not blind all who look
            self._log.error("the dashboard's hub failed at a step", exc_info=error)
            return instead

    def _fail_all(self) -> None:
        with self._lock:
            self._ended = True
            futures = list(self._futures)
        for future in futures:
            with contextlib.suppress(InvalidStateError):  # it was fulfilled just now
                future.set_exception(Unreachable("the dashboard ends"))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks.put(None)
        self._thread.join()
