"""Planner: what a trader's next step must evaluate, and when that step is due."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tickflag.common.arrays import NO_SLOTS, Slots, Versions
from tickflag.common.protocol.fast_path import FastPath
from tickflag.common.protocol.reader import ChannelReader, Route, Take
from tickflag.common.protocol.rows import RowReader, Rows
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.services.trader.evaluation.planning.listing_changes import ListingChanges, NoListingChanges
from tickflag.services.trader.evaluation.planning.pace import Pace
from tickflag.services.trader.evaluation.planning.references import NoReferences, References
from tickflag.services.trader.evaluation.switches import Switches


class Plan(NamedTuple):
    """The work of one step. Commit it, or drop it and plan again."""

    take: Take
    first: Rows | None
    """The rows of the first chunk, where the fast path has read them."""
    oldest_ns: int
    """Monotonic ns of the oldest update that the take covers; 0 where unknown."""


class Planner:
    """Plans the steps of one trader in one generation. One thread.

    After the directory has grown, the planner calls `place` with the number of symbols that it had before.
    """

    def __init__(
        self,
        reader: ChannelReader,
        rows: RowReader,
        directory: SymbolDirectory,
        pace: Pace,
        listing: ListingChanges | NoListingChanges,
        references: References | NoReferences,
        switches: Switches,
        place: Callable[[int], None],
    ) -> None:
        self._reader, self._directory, self._pace = reader, directory, pace
        self._listing, self._references, self._switches, self._place = listing, references, switches, place
        self._fast_path = FastPath(reader, rows)
        self._flags_suffice = isinstance(references, NoReferences)  # else a reference may have changed, too
        self._owed: Slots = NO_SLOTS  # could not be read in a pass over everything
        self._afresh = False

    def changed(self) -> bool:
        """Whether there is something to look at."""
        return self._reader.pending() or self._listing.pending()

    def pending(self, now_ns: int) -> bool:
        """Whether a step would find something to evaluate."""
        return self._pace.allows(now_ns) and (self.changed() or self._pace.wants_everything(now_ns))

    def due_ns(self) -> int | None:
        """When a step is due without an event; None where only an event makes one due."""
        return self._pace.due_ns(self.changed)

    def reevaluate(self) -> None:
        """Make a step over everything due. A request made during a step is served by the next one."""
        self._reader.require_exact()
        self._afresh = True

    def plan(self, time_ns: int, now_ns: int) -> Plan | None:
        """The work of a step; None where there is none. `time_ns` is UTC; `now_ns` is of the clock that paces."""
        if not self._pace.allows(now_ns):
            return None
        everything = self._afresh or not self._switches.tracking or self._pace.wants_everything(now_ns)
        if not everything and self._flags_suffice and not self._listing.pending():
            taken = self._fast_path.take(len(self._directory))
            if taken is not None:
                return Plan(*taken)
        return self._plan_in_steps(time_ns, everything)

    def commit(self, plan: Plan, slots: Slots, versions: Versions, now_ns: int) -> bool:
        """Note that the plan's `slots` were evaluated at `versions`; gives whether some of its rows stayed locked."""
        take = plan.take
        retry = len(slots) < len(take.slots)
        self._reader.commit(take, slots, versions, retry)
        if not retry:
            self._listing.commit()
        self._references.commit()
        # The next exact pass finds the locked rows that changed. A pass over everything was to evaluate unchanged rows
        # as well, and only `_owed` brings those back.
        owes = retry and (take.route is Route.ALL or len(self._owed) > 0)
        self._owed = np.setdiff1d(take.slots, slots) if owes else NO_SLOTS
        self._pace.passed(now_ns)
        return retry

    def _plan_in_steps(self, time_ns: int, everything: bool) -> Plan | None:
        """The plan where the fast path does not serve: observe, look at references and statuses, take."""
        closed, count = self._reader.observe()
        known = len(self._directory)
        if count > known:
            self._directory.refresh(count)
            self._place(known)
        # Read the references after `closed`: a later cycle announces any later change of them.
        if not self._references.read(self._directory, time_ns):
            self._reader.note_locked()
            return None
        owed = self._owed
        if self._listing.pending():
            self._reader.require_exact()  # so that `take` does not give NOTHING
            owed = np.union1d(owed, self._listing.changed(self._reader.watched, self._reader.seen))
        take = self._reader.take(closed, count, everything or self._references.changed)
        if take.route is Route.NOTHING:
            return None
        self._afresh = False
        if len(owed):
            take = take._replace(slots=np.union1d(take.slots, owed))
        return Plan(take, None, self._reader.oldest_ns(take))
