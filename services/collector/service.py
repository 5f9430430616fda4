"""The collector's loop: drain, apply, commit, publish; then answer, report and fold the journal."""

import contextlib
import gc
import os
from typing import Any

import zmq

from tickflag.common.clock import Clock, SystemClock
from tickflag.common.errors import MessageError, TickflagError
from tickflag.common.lifecycle import Stop
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.common.wire import sockets
from tickflag.common.wire.codec import decode
from tickflag.common.wire.connection_guard import ConnectionGuard
from tickflag.common.wire.responder import Responder
from tickflag.common.wire.sockets import open_socket, receive
from tickflag.services.collector.commands import REQUESTS_PER_STEP
from tickflag.services.collector.core import RESULTS, CollectorCore
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.metrics.feed_metrics import FeedMetrics
from tickflag.services.collector.metrics.metrics import Metrics
from tickflag.services.collector.metrics.page import MetricsPage
from tickflag.services.collector.metrics.server import MetricsServer
from tickflag.services.collector.metrics.signal_latency import SignalLatency
from tickflag.services.collector.publisher import SignalPublisher
from tickflag.services.collector.remote.remote_access import open_remote
from tickflag.services.collector.report import Report
from tickflag.services.collector.views.view import UnnumberedSignal

DRAIN_LIMIT = 1_000
LAST_WAIT_S = 1.0  # at the end, for another program that has the journal locked
FOLD_FROM = 10_000  # unfolded signals, below which folding waits for the heartbeat


def run(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
    """Serve until `stop` is requested. Raises TickflagError where the journal cannot be used."""
    with (
        _journal(settings) as journal,
        MetricsServer(settings.collector.metrics_host, settings.collector.metrics_port, log) as metrics,
        sockets.Context() as context,
        Collector(settings, runtime, log, SystemClock(), journal, context, metrics) as collector,
    ):
        gc.freeze()  # what is loaded by now stays, and a garbage collection of it would take milliseconds
        serve(collector, stop)


def _journal(settings: Settings) -> Journal:
    path = settings.journal_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise TickflagError(f"journal {path}: {error.filename}: {error.strerror}: set `collector.journal`") from None
    return Journal(path, settings.collector.journal_keep, settings.collector.sync)


def serve(collector: "Collector", stop: Stop) -> None:
    """Let the collector take its turns until `stop` is requested."""
    poller = zmq.Poller()
    poller.register(stop.fileno(), zmq.POLLIN)
    for socket in collector.inputs:
        poller.register(socket, zmq.POLLIN)
    while True:
        ready = poller.poll(collector.idle_ms())
        if ready and ready[0][0] == stop.fileno() and stop.requested:
            return
        collector.step()


class Collector:
    """Owns its sockets, borrows the journal. One thread. No peer ever makes it wait.

    It publishes what was committed, and nothing else.
    """

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        log: Logger,
        clock: Clock,
        journal: Journal,
        context: sockets.Context,
        metrics: MetricsServer | None = None,
    ) -> None:
        self._runtime = runtime
        self._log = log
        self._clock = clock
        self._journal = journal
        self._instance = settings.instance
        self._heartbeat_ns = int(settings.collector.heartbeat_ms * NS_PER_MS)
        self._started_ns = now_ns = clock.monotonic_ns()
        stale_after_ns = int(settings.collector.stale_after_ms * NS_PER_MS)
        self._expire_every_ns = min(self._heartbeat_ns, stale_after_ns // 4)

        self._core = core = CollectorCore(settings, journal, clock, log, self._about)
        self._views, self._control, self._flags = core.views, core.control, core.flags
        self._recovery, self._experiments = core.recovery, core.experiments
        self._report = Report(log, self._views, now_ns)
        self._metrics_url = metrics.url if metrics else ""
        self._latency = SignalLatency()
        feed = FeedMetrics(runtime, settings.feed.heartbeat_ms, clock)
        page_of = Metrics(self._views, journal, self._control, self._about, self._recovery, self._latency, feed)
        self._page = MetricsPage(page_of, metrics) if metrics else None
        self._dropped = 0
        self._folding = False
        self._heartbeat_due_ns = self._expire_due_ns = now_ns

        self._remote = open_remote(settings, log, core.commands.answer)
        self._results = open_socket(context, runtime, sockets.RESULTS_IN, hidden=True)
        self._requests = open_socket(context, runtime, sockets.COMMANDS_SERVER, hidden=True)
        self._responder = Responder(self._requests, core.commands.answer, self._drop, REQUESTS_PER_STEP)
        self._publisher = SignalPublisher(context, runtime, journal, self._control, clock, self._remote)
        bound = {sockets.RESULTS_IN.endpoint: self._results, sockets.COMMANDS_SERVER.endpoint: self._requests}
        self._guard = ConnectionGuard(context, bound | self._publisher.sockets, log)
        self._log.info(
            "started",
            pid=os.getpid(),
            traders=core.restored,
            last_seq=journal.last_seq,
            metrics=self._metrics_url or "off",
        )

    @property
    def inputs(self) -> tuple[sockets.Socket, ...]:
        """The sockets to wait on while there is nothing to do."""
        return (self._results, self._requests, *(self._remote.inputs if self._remote else ()))

    def idle_ms(self) -> int:
        """For how long `step` has nothing to do unless a message comes."""
        if self._folding or (self._page is not None and self._page.busy):
            return 0
        due_ns = min(self._heartbeat_due_ns, self._expire_due_ns, self._report.due_ns)
        if self._recovery.due_ns is not None:
            due_ns = min(due_ns, self._recovery.due_ns)
        # Rounded up: the poller takes whole milliseconds, and a turn that begins too early does nothing.
        return max(0, due_ns - self._clock.monotonic_ns() + NS_PER_MS - 1) // NS_PER_MS

    def step(self) -> int:
        """Take one turn; gives how many frames came. Never waits."""
        now_ns = self._clock.monotonic_ns()
        signals: list[UnnumberedSignal] = []
        frames = self._apply_results(signals, now_ns)
        if frames < DRAIN_LIMIT and now_ns >= self._expire_due_ns:
            # Only where the queue is empty, as it may hold the heartbeat of a trader that seems silent.
            self._expire_due_ns = now_ns + self._expire_every_ns
            self._views.expire(now_ns)
        heartbeat = now_ns >= self._heartbeat_due_ns
        if heartbeat:
            self._flags.refresh()
            self._control.set_incarnations(self._views.refused_incarnations)
            if self._remote:
                self._remote.refresh()
        if self._recovery.due_ns is not None and now_ns >= self._recovery.due_ns:
            self._recovery.update_control()
        self._commit(signals, positions_too=heartbeat)
        if _waiting(self._requests):
            frames += self._responder.step()
        if self._remote:
            frames += self._remote.step()
        self._experiments.follow(self._flags.rules)
        self._commit([], positions_too=False)
        if heartbeat:
            self._heartbeat_due_ns = now_ns + self._heartbeat_ns
            self._experiments.save_if_due()
            self._publisher.publish_control()
            self._publisher.publish_signals([])
        changes = self._views.drain_changes()
        for change in changes:
            if change.what == "retired":
                self._recovery.forget(change.trader)
                self._experiments.retire(change.trader)
                self._latency.forget(change.trader)
        self._report.add_changes(changes)
        self._report.write(now_ns)
        # Folding comes last and in parts: nobody waits for it, and a result that comes meanwhile waits for one part.
        self._folding |= heartbeat or self._journal.unfolded > FOLD_FROM
        if self._folding:
            self._folding = self._journal.fold()
            self._report.tell_journal(self._journal.hindrance, self._journal.unfolded, now_ns)
        if self._page is not None:
            self._page.step(heartbeat)
        return frames

    def close(self) -> None:
        """Close the sockets and remove their files; the context still sends the last signals."""
        with contextlib.suppress(TickflagError):  # the journal may be the reason why the process ends
            self._journal.database.wait_for_locks(LAST_WAIT_S)
            self._write_records(errors_too=True)
        self._guard.close()
        for socket, role in ((self._results, sockets.RESULTS_IN), (self._requests, sockets.COMMANDS_SERVER)):
            socket.close()
            (self._runtime.folder / role.endpoint).unlink(missing_ok=True)
        self._publisher.close()
        if self._remote:
            self._remote.close()
        self._core.close()
        self._log.info("stopped", last_seq=self._journal.last_seq)

    def _apply_results(self, signals: list[UnnumberedSignal], now_ns: int) -> int:
        """Apply the results that have come, and add their signals to `signals`; gives how many frames came."""
        for count in range(DRAIN_LIMIT):
            frame = receive(self._results)
            if frame is None:
                return count
            try:
                message = decode(frame)
                if not isinstance(message, RESULTS):
                    raise MessageError(f"{message.kind!r} is no result")
                found = self._core.apply(message, now_ns)
                if found:
                    self._latency.begin(message)
                    signals += found
            except MessageError as error:
                self._drop(error)
            if not count and not _waiting(self._results):
                return 1
        return DRAIN_LIMIT

    def _commit(self, signals: list[UnnumberedSignal], positions_too: bool) -> None:
        """Write to the journal, then publish.

        A position that only deltas moved waits for the heartbeat. After a crash every view is resynced anyway, and
        matches may be newer than their position.
        """
        self._write_records(errors_too=False)
        version = self._control.version
        control_changed = version != self._publisher.control_version
        positions_too = self._views.moved and (positions_too or control_changed or self._views.lives_changed)
        if signals or control_changed or positions_too:
            rows = self._journal.commit(signals, self._views.drain_positions() if positions_too else (), version)
            if rows:
                self._publisher.publish_signals(rows)
                self._latency.published(self._clock.monotonic_ns())
                self._report.add_signals(signals)
            if control_changed:
                self._publisher.publish_control()

    def _write_records(self, errors_too: bool) -> None:
        """Write notices and documents to the journal, and publish the notices."""
        notices = self._core.write_records(errors_too)
        if notices:
            self._publisher.publish_notices(notices)

    def _drop(self, error: MessageError) -> None:
        self._dropped += 1
        self._report.add_dropped(str(error))

    def _about(self) -> dict[str, Any]:
        uptime_s = (self._clock.monotonic_ns() - self._started_ns) / NS_PER_S
        return {
            "pid": os.getpid(),
            "instance": self._instance,
            "uptime_s": uptime_s,
            "dropped_messages": self._dropped,
            "ignored_messages": self._views.ignored,
            "metrics": self._metrics_url,
            "latency": self._latency.overall(),
            **(self._remote.about() if self._remote else {}),
        }

    def __enter__(self) -> "Collector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _waiting(socket: sockets.Socket) -> bool:
    """True where a frame is there. Where none is, this costs a third of a receive."""
    return bool(int(socket.get(zmq.EVENTS)) & zmq.POLLIN)
