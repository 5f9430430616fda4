"""The real collector, with a journal that records when each signal came: `... collector_process FOLDER`."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tickflag.common.clock import SystemClock
from tickflag.common.lifecycle import Stop, run_service
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.wire import sockets
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.write_ahead_log import SignalRow
from tickflag.services.collector.service import Collector, serve
from tickflag.services.collector.views.view import Position, UnnumberedSignal


class TimedJournal(Journal):
    """Records (number of the trader, number of the tick, when the signal came, when it was journalled, cycle)."""

    def __init__(self, path: Path, keep: int) -> None:
        super().__init__(path, keep)
        self.times: list[tuple[int, ...]] = []

    def commit(
        self, signals: Sequence[UnnumberedSignal], positions: Sequence[Position], state_version: int
    ) -> list[SignalRow]:
        came_ns = time.monotonic_ns()
        rows = super().commit(signals, positions, state_version)
        kept_ns = time.monotonic_ns()
        self.times += [
            (int(signal.trader[-1]), int(signal.score), came_ns, kept_ns, signal.cycle) for signal in signals
        ]
        return rows


def main(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
    """As `tickflag.services.collector.service.run`, with this journal."""
    journal = TimedJournal(settings.journal_path(), settings.collector.journal_keep)
    with (
        journal,
        sockets.Context() as context,
        Collector(settings, runtime, log, SystemClock(), journal, context) as collector,
    ):
        serve(collector, stop)
    np.save(Path(sys.argv[1]) / "signals.npy", np.array(journal.times, np.int64).reshape(-1, 5))


if __name__ == "__main__":
    sys.exit(run_service("collector", main))
