"""The real collector, with a journal that writes down when each signal came: `... collector_process FOLDER`."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common import sockets
from common.clock import SystemClock
from common.lifecycle import Stop, run_service
from common.log import Logger
from common.runtime import Runtime
from common.settings import Settings
from services.collector.journal import Journal
from services.collector.service import Collector, serve
from services.collector.tail import Row
from services.collector.view import Draft, Position


class TimedJournal(Journal):
    """Notes (trader's number, number of the tick, when the signal was there, when it was journalled, cycle)."""

    def __init__(self, path: Path, keep: int) -> None:
        super().__init__(path, keep)
        self.times: list[tuple[int, ...]] = []

    def commit(self, drafts: Sequence[Draft], positions: Sequence[Position], state_version: int) -> list[Row]:
        came_ns = time.monotonic_ns()
        rows = super().commit(drafts, positions, state_version)
        kept_ns = time.monotonic_ns()
        self.times += [(int(draft.trader[-1]), int(draft.score), came_ns, kept_ns, draft.cycle) for draft in drafts]
        return rows


def main(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
    """As `services.collector.service.run`, with the journal in its place."""
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
