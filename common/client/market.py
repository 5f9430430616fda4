"""LiveMarket: copies of the running feed's rows. It follows the feed from one generation to the next."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tickflag.common.errors import TickflagError
from tickflag.common.protocol.rows import CandleWish, RowReader, Rows
from tickflag.common.runtime import Role, Runtime
from tickflag.common.segment.segment import Attach, AttachError, Segment
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.common.wire.requests import Unreachable, not_running

_TRIES = 20  # reads of all rows, in each of which the reader tries a row several times


class LiveMarket:
    """Attaches the current segment, read-only, at the first question. One thread."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._attached: tuple[Segment, SymbolDirectory] | None = None

    def read(
        self, symbols: Sequence[str] | None, wish: Callable[[Segment], CandleWish] | None = None
    ) -> tuple[NDArray[np.str_], Rows]:
        """Names and rows of all symbols that have data, or of those among `symbols`; each row is a consistent copy.

        `wish` says which candles come with the rows. Raises TickflagError where no feed runs, or for an unknown symbol.
        """
        segment, directory = self._current()
        if symbols is None:
            slots = np.arange(len(directory), dtype=np.int32)
        else:
            slots = np.array([directory.find(name) for name in symbols], np.int32)
        slots = slots[segment.arrays.versions[slots] != 0]
        reader = RowReader(segment, 0, None if wish is None else wish(segment), max(1, len(slots)))
        for _ in range(_TRIES):
            rows = reader.read(slots)
            if not rows.failed:
                return np.array([directory.names[slot] for slot in rows.slots], np.str_), rows
        raise TickflagError(f"{rows.failed} rows stay locked: the feed stands still in the middle of an update")

    def close(self) -> None:
        if self._attached is not None:
            self._attached[0].close()
            self._attached = None

    def _current(self) -> tuple[Segment, SymbolDirectory]:
        """The feed's segment and all its symbols. Raises Unreachable where no feed runs, or the feed is starting."""
        pid = Role.holder(self._runtime, "feed")
        if pid is None:
            raise not_running(self._runtime, "feed")
        if self._attached is None or self._attached[0].path.name != self._runtime.read_pointer():
            self.close()
            try:
                segment = Segment.attach_current(self._runtime)
            except AttachError as error:
                if error.state not in (Attach.MISSING, Attach.NOT_READY):
                    raise
                raise Unreachable(f"the feed (pid {pid}) is starting: try again in some seconds") from None
            self._attached = segment, SymbolDirectory(segment)
        self._attached[1].refresh()
        return self._attached
