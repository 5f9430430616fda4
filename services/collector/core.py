"""CollectorCore: all parts of the collector that need no sockets, put together."""

from collections.abc import Callable
from typing import Any

from tickflag.common.clock import Clock
from tickflag.common.log import Logger
from tickflag.common.settings import Settings
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.messages import Audit, Delta, Fault, Heartbeat, Notice, Roster, Snapshot
from tickflag.services.collector.commands import CollectorCommands
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.experiments.commands import ExperimentCommands
from tickflag.services.collector.experiments.journalled_experiments import JournalledExperiments
from tickflag.services.collector.flags.commands import FlagCommands
from tickflag.services.collector.flags.feature_flags import FeatureFlags
from tickflag.services.collector.flags.flag_store import FlagStore
from tickflag.services.collector.flags.provider_client import ProviderClient
from tickflag.services.collector.journal.commands import NoticeCommands, SearchCommands
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.notice_queue import NoticeQueue
from tickflag.services.collector.journal.record_store import RecordStore
from tickflag.services.collector.recovery.commands import RecoveryCommands
from tickflag.services.collector.recovery.recovery import Recovery
from tickflag.services.collector.views.view import UnnumberedSignal
from tickflag.services.collector.views.views import Views

ResultMessage = Delta | Heartbeat | Snapshot | Roster | Fault | Audit
RESULTS = (Delta, Heartbeat, Snapshot, Roster, Fault, Audit)  # the most frequent first


class CollectorCore:
    """Borrows the journal. One thread."""

    def __init__(
        self, settings: Settings, journal: Journal, clock: Clock, log: Logger, about: Callable[[], dict[str, Any]]
    ) -> None:
        """`about` gives the part of the answer to `status` that is about the process. Raises TickflagError for
        settings that cannot be used."""
        state = journal.load()
        self.restored = len(state.traders)
        """How many traders the journal knew."""
        self.control = ControlState(state.state_version)
        self.views = Views(self.control.resync, int(settings.collector.stale_after_ms * NS_PER_MS))
        self.views.restore(state.traders, clock.monotonic_ns())
        self._record_store, self._notices = RecordStore(journal), NoticeQueue(clock)
        if journal.begun.loss:
            begun = journal.begun
            log.warning("another journal id begins", reason=begun.loss, id=journal.journal_id, before=begun.former_id)
            self._notices.add("journal", begun.former_id, journal.journal_id, begun.loss)
        provider = settings.collector.flag_provider
        self._flag_provider = ProviderClient(provider) if provider else None
        self.flags = FeatureFlags(
            FlagStore(settings.flags_path()), self.views, self._notices, self.control, clock, log, settings.flags,
            self._flag_provider,
        )  # fmt: skip
        self.recovery = Recovery(
            settings.recovery, self._record_store, self._notices, self.control, clock, log, self.flags.roll_back_for
        )
        self.experiments = JournalledExperiments(self._record_store, clock, log)
        self.experiments.follow(self.flags.rules)
        others = {
            **FlagCommands(self.flags, clock).commands,
            **RecoveryCommands(self.recovery).commands,
            **NoticeCommands(self._record_store, journal).commands,
            **SearchCommands(journal).commands,
            **ExperimentCommands(self.experiments).commands,
        }
        self.commands = CollectorCommands(
            self.views, journal, self.control, clock, about, others,
            self.recovery.trader_status, self.experiments.saving,
        )  # fmt: skip

    def apply(self, message: ResultMessage, now_ns: int) -> list[UnnumberedSignal]:
        """The signals of a message that came at the monotonic time `now_ns`. Raises MessageError."""
        # By kind, as in `Views.apply`: most messages are deltas.
        if message.kind == "fault":
            self.views.check_incarnation(message.trader, message.incarnation)
            self.recovery.apply_fault(message)
            return []
        signals = [] if message.kind == "audit" else self.views.apply(message, now_ns)
        if message.kind == "roster":
            self.recovery.apply_roster(message)
            return signals
        if message.kind == "heartbeat":
            self.recovery.apply_heartbeat(message)
        if message.trader in self.views.records:
            self.experiments.apply(message)
        return signals

    def write_records(self, errors_too: bool) -> list[Notice]:
        """The new notices with their numbers, after they and the changed documents were written to the journal. The
        error book is written only now and then, or if `errors_too`."""
        self.flags.queue_notices()
        notices, documents = self._notices.drain(), self.recovery.drain_documents(errors_too)
        some = notices or documents or self._record_store.waiting
        return self._record_store.write(notices, documents) if some else []

    def close(self) -> None:
        """End the provider's thread, and save the experiments."""
        if self._flag_provider is not None:
            self._flag_provider.close()
        self.experiments.save()
