"""The feature flags of a collector over a real file, and their commands."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from tests.support.stand_ins.manual_clock import ManualClock
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.flags import FlagTable
from tickflag.common.log import Logger
from tickflag.common.wire.codec import decode_as, encode
from tickflag.common.wire.messages import Reply, Request
from tickflag.services.collector.commands import CollectorCommands
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.flags.commands import FlagCommands
from tickflag.services.collector.flags.feature_flags import FeatureFlags
from tickflag.services.collector.flags.flag_store import FlagStore
from tickflag.services.collector.flags.provider_client import ProviderClient
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.notice_queue import NoticeQueue
from tickflag.services.collector.views.views import Views


class FlagsHarness:
    """Answers requests through the codec; `pass_time` moves the clock. Close it, or use it in a `with` block."""

    def __init__(
        self, path: Path, at_start: dict[str, bool] | None = None, provider: ProviderClient | None = None
    ) -> None:
        self.path = path
        self.clock = ManualClock(1_000_000_000_000)
        self.control = ControlState()
        self.views = Views(self.control.resync, 5_000_000_000)
        self.notices = NoticeQueue(self.clock)
        self.log = RecordedLog()
        log = cast(Logger, self.log)
        self.store = FlagStore(path)
        self.flags = FeatureFlags(
            self.store, self.views, self.notices, self.control, self.clock, log, at_start or {}, provider
        )
        self.journal = Journal(":memory:")
        others = FlagCommands(self.flags, self.clock).commands
        self.commands = CollectorCommands(self.views, self.journal, self.control, self.clock, dict, others)

    def reply(self, what: str, **arguments: Any) -> Reply:
        request = decode_as(Request, encode(Request(id=5, what=f"flags.{what}", arguments=arguments)))
        return decode_as(Reply, encode(self.commands.answer(request)))

    def ask(self, what: str, **arguments: Any) -> Any:
        reply = self.reply(what, **arguments)
        assert reply.error == ""
        return reply.result

    def pass_time(self, seconds: float) -> None:
        self.clock.now_ns += round(seconds * 1e9)
        self.flags.refresh()

    def on(self, trader: str, flag: str = "audit", owner: str = "") -> bool:
        """Whether the trader's worker finds the feature flag on in the control state."""
        return FlagTable.of(self.control.document(0).features, trader, owner).on(flag)

    def summary(self, flag: str = "audit") -> dict[str, Any]:
        (found,) = (one for one in self.ask("list")["flags"] if one["flag"] == flag)
        return cast(dict[str, Any], found)

    def close(self) -> None:
        self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
