"""The collector's loop: drain, apply, commit, publish; then answer, report and fold the journal."""

import contextlib
import gc
import os
from typing import Any

import zmq

from common import sockets
from common.clock import Clock, SystemClock
from common.codec import decode, encode, encode_signals
from common.errors import MessageError, TickflagError
from common.lifecycle import Stop
from common.log import Logger
from common.messages import Audit, Delta, Fault, Heartbeat, Notices, Roster, Snapshot
from common.responder import Responder
from common.runtime import Runtime
from common.settings import Settings
from common.sockets import open_socket, receive, try_send
from services.collector.commands import Commands
from services.collector.control import ControlState
from services.collector.experimentdesk import ExperimentDesk
from services.collector.flagdesk import FlagDesk
from services.collector.flagsource import FlagSource
from services.collector.flagstore import FlagStore
from services.collector.journal import Journal
from services.collector.metrics import Metrics, MetricsPage
from services.collector.metrics_server import MetricsServer
from services.collector.records import Records
from services.collector.recoverydesk import RecoveryDesk
from services.collector.remote import open_remote
from services.collector.report import Report
from services.collector.tail import Row
from services.collector.view import Draft
from services.collector.views import Views

DRAIN_LIMIT = 1_000
REQUEST_LIMIT = 8  # a large answer takes as long as hundreds of results
SIGNALS_PER_MESSAGE = 10_000  # so that the largest names make no frame a receiver would refuse

FOLD_FROM = 10_000  # unfolded signals, below which folding waits for the heartbeat

NS_PER_MS = 1_000_000

_Message = Delta | Heartbeat | Snapshot | Roster | Fault | Audit
_RESULTS = (Delta, Heartbeat, Snapshot, Roster, Fault, Audit)  # the most frequent first


def run(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
    """Serve until `stop` is requested. Raises TickflagError where the journal cannot be used."""
    with (
        _journal(settings) as journal,
        MetricsServer(settings.collector.metrics_host, settings.collector.metrics_port, log) as metrics,
        sockets.Context() as context,
        Collector(settings, runtime, log, SystemClock(), journal, context, metrics) as collector,
    ):
        gc.freeze()  # what is loaded by now stays: a collection that looks at it holds up results for milliseconds
        serve(collector, stop)


def _journal(settings: Settings) -> Journal:
    path = settings.journal_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise TickflagError(f"journal {path}: {error.filename}: {error.strerror}: set `collector.journal`") from None
    return Journal(path, settings.collector.journal_keep)


def serve(collector: "Collector", stop: Stop) -> None:
    """Turn after turn until `stop` is requested."""
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

    What was committed is published, and nothing else: after a crash between the two, whoever follows the signals sees
    the hole in the numbers and asks for the missing ones.
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

        state = journal.load()
        self._control = ControlState(state.state_version)
        self._views = Views(self._control, stale_after_ns)
        self._views.restore(state.traders, now_ns)
        provider = settings.collector.flag_provider
        self._flag_source = FlagSource(provider) if provider else None
        self._flags = FlagDesk(
            FlagStore(settings.flags_path()), self._views, self._control, clock, log, settings.flags, self._flag_source
        )
        self._records = Records(journal)
        self._recovery = RecoveryDesk(
            settings.recovery, self._records, self._control, clock, log, self._flags.roll_back_for
        )
        self._experiments = ExperimentDesk(self._records, clock, log)
        self._experiments.follow(self._flags.rules)
        commands = {**self._flags.commands, **self._recovery.commands, **self._experiments.commands}
        self._commands = Commands(
            self._views,
            journal,
            self._control,
            clock,
            self._about,
            commands,
            self._recovery.standing,
            self._experiments.saving,
        )
        self._report = Report(log, self._views, now_ns)
        self._metrics_url = metrics.url if metrics else ""
        self._page = (
            MetricsPage(Metrics(self._views, journal, self._control, self._about, self._recovery), metrics)
            if metrics
            else None
        )
        self._dropped = 0
        self._published_version = 0
        self._folding = False
        self._heartbeat_due_ns = self._expire_due_ns = now_ns

        self._remote = open_remote(settings, log, self._commands.answer)
        self._results = open_socket(context, runtime, sockets.RESULTS_IN)
        self._requests = open_socket(context, runtime, sockets.COMMANDS_SERVER)
        self._responder = Responder(self._requests, self._commands.answer, self._drop, REQUEST_LIMIT)
        self._signals = open_socket(context, runtime, sockets.SIGNALS_OUT)
        self._controls = open_socket(context, runtime, sockets.CONTROL_OUT)
        self._log.info(
            "started",
            pid=os.getpid(),
            traders=len(state.traders),
            last_seq=journal.last_seq,
            metrics=self._metrics_url or "off",
        )

    @property
    def inputs(self) -> tuple[sockets.Socket, ...]:
        """What to wait on while there is nothing to do."""
        return (self._results, self._requests, *(self._remote.inputs if self._remote else ()))

    def idle_ms(self) -> int:
        """How long `step` has nothing to do unless a message comes."""
        if self._folding or (self._page is not None and self._page.busy):
            return 0
        due_ns = min(self._heartbeat_due_ns, self._expire_due_ns, self._report.due_ns)
        if self._recovery.due_ns is not None:
            due_ns = min(due_ns, self._recovery.due_ns)
        # Rounded up: the poller takes whole milliseconds, and waking early means to turn round for nothing.
        return max(0, due_ns - self._clock.monotonic_ns() + NS_PER_MS - 1) // NS_PER_MS

    def step(self) -> int:
        """One turn; gives how many frames were taken. Never waits."""
        now_ns = self._clock.monotonic_ns()
        drafts: list[Draft] = []
        taken = self._take_results(drafts, now_ns)
        if taken < DRAIN_LIMIT and now_ns >= self._expire_due_ns:
            # Only with an empty queue: the sign of life of a trader that seems silent may lie in it.
            self._expire_due_ns = now_ns + self._expire_every_ns
            self._views.expire(now_ns)
        heartbeat = now_ns >= self._heartbeat_due_ns
        if heartbeat:
            self._flags.refresh()
            if self._remote:
                self._remote.refresh()
        if self._recovery.due_ns is not None and now_ns >= self._recovery.due_ns:
            self._recovery.look()
        self._commit(drafts, positions_too=heartbeat)
        if _waiting(self._requests):
            taken += self._responder.step()
        if self._remote:
            taken += self._remote.step()
        self._experiments.follow(self._flags.rules)
        self._commit([], positions_too=False)
        if heartbeat:
            self._heartbeat_due_ns = now_ns + self._heartbeat_ns
            self._experiments.save_if_due()
            self._publish_control()
            self._publish_signals([])
        changes = self._views.take_changes()
        for change in changes:
            if change.what == "retired":
                self._recovery.forget(change.trader)
                self._experiments.retire(change.trader)
        self._report.changes(changes)
        self._report.write(now_ns)
        # Last, and in parts: nobody waits for it, and a result that comes meanwhile waits for one part only.
        self._folding |= heartbeat or self._journal.unfolded > FOLD_FROM
        if self._folding:
            self._journal.fold()
            self._folding = self._journal.unfolded > 0
        if self._page is not None:
            self._page.turn(heartbeat)
        return taken

    def close(self) -> None:
        """Release the sockets and remove their files; the context lets the last signals out."""
        with contextlib.suppress(TickflagError):  # the journal may be what made us end
            self._write_records(errors_too=True)
        if self._flag_source is not None:
            self._flag_source.close()
        for socket in (self._results, self._requests, self._signals, self._controls):
            socket.close()
        if self._remote:
            self._remote.close()
        for role in (sockets.RESULTS_IN, sockets.COMMANDS_SERVER, sockets.SIGNALS_OUT, sockets.CONTROL_OUT):
            (self._runtime.folder / role.endpoint).unlink(missing_ok=True)
        self._experiments.save()
        self._log.info("stopped", last_seq=self._journal.last_seq)

    def _take_results(self, drafts: list[Draft], now_ns: int) -> int:
        for taken in range(DRAIN_LIMIT):
            frame = receive(self._results)
            if frame is None:
                return taken
            try:
                message = decode(frame)
                if not isinstance(message, _RESULTS):
                    raise MessageError(f"{message.kind!r} is no result")
                drafts += self._apply(message, now_ns)
            except MessageError as error:
                self._drop(error)
            if not taken and not _waiting(self._results):
                return 1
        return DRAIN_LIMIT

    def _apply(self, message: _Message, now_ns: int) -> list[Draft]:
        # By kind, as in `Views.apply`: most are deltas.
        if message.kind == "fault":
            self._recovery.fault(message)
            return []
        drafts = [] if message.kind == "audit" else self._views.apply(message, now_ns)
        if message.kind == "roster":
            self._recovery.roster(message)
            return drafts
        if message.kind == "heartbeat":
            self._recovery.heartbeat(message)
        if message.trader in self._views.known:
            self._experiments.take(message)
        return drafts

    def _commit(self, drafts: list[Draft], positions_too: bool) -> None:
        """Journal, then publish. A position that only deltas moved waits for the heartbeat: after a crash, all is
        resynced anyway, and matches newer than their position do no harm."""
        self._write_records(errors_too=False)
        version = self._control.version
        anew = version != self._published_version
        positions_too = self._views.moved and (positions_too or anew or self._views.lives_changed)
        if drafts or anew or positions_too:
            rows = self._journal.commit(drafts, self._views.take_moved() if positions_too else (), version)
            if rows:
                self._publish_signals(rows)
                self._report.drafts(drafts)
            if anew:
                self._publish_control()

    def _write_records(self, errors_too: bool) -> None:
        for change in self._flags.take_changes():
            name = f"{change.flag}, {change.field}"
            self._recovery.note("feature flag", f"{name}: {change.before}", f"{name}: {change.after}", change.who)
        notices, documents = self._recovery.take_unwritten(errors_too)
        if notices or documents:
            told = self._records.write(notices, documents)
            if told:
                self._publish(encode(Notices(notices=told, last_seq=self._records.last_seq)))

    def _publish_signals(self, rows: list[Row]) -> None:
        """The batch in one message, a very large one in several; none is the heartbeat."""
        for start in range(0, max(1, len(rows)), SIGNALS_PER_MESSAGE):
            part = rows[start : start + SIGNALS_PER_MESSAGE]
            last_seq = part[-1].seq if part else self._journal.last_seq
            self._publish(encode_signals(part, last_seq))

    def _publish(self, frame: bytes) -> None:
        """On the signal feed, here and to other machines."""
        try_send(self._signals, frame)
        if self._remote:
            self._remote.publish(frame)

    def _publish_control(self) -> None:
        document = self._control.document(self._clock.wall_ns() // NS_PER_MS)
        try_send(self._controls, encode(document))
        self._published_version = document.state_version

    def _drop(self, error: MessageError) -> None:
        self._dropped += 1
        self._report.dropped(str(error))

    def _about(self) -> dict[str, Any]:
        uptime_s = (self._clock.monotonic_ns() - self._started_ns) / 1e9
        return {
            "pid": os.getpid(),
            "instance": self._instance,
            "uptime_s": uptime_s,
            "dropped_messages": self._dropped,
            "ignored_messages": self._views.ignored,
            "metrics": self._metrics_url,
            **(self._remote.about() if self._remote else {}),
        }

    def __enter__(self) -> "Collector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _waiting(socket: sockets.Socket) -> bool:
    """A frame is there. Where none is, this costs a third of a refused receive."""
    return bool(int(socket.get(zmq.EVENTS)) & zmq.POLLIN)
