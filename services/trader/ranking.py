"""Ranking: a trader with scope `market` is asked about every row whenever any changed."""

import numpy as np
import numpy.typing as npt

from common.rows import RowReader
from common.symbols import SymbolDirectory
from services.trader.matches import Floats, Slots
from services.trader.plugin import Plugin


class Ranking:
    """Over the mirror that `rows` keeps. Only watched symbols (`watched`, a byte a slot) may match. One thread."""

    def __init__(
        self, plugin: Plugin, rows: RowReader, directory: SymbolDirectory, watched: npt.NDArray[np.uint8]
    ) -> None:
        self._plugin, self._rows, self._directory, self._watched = plugin, rows, directory, watched
        self._held = np.zeros(len(watched), np.bool_)  # has data in the mirror

    def take(self, slots: Slots) -> None:
        """These rows were read into the mirror."""
        self._held[slots] = True

    def evaluate(self, count: int, time_ns: int, out: Floats) -> dict[int, str]:
        """The scores of the first `count` slots, as the mirror has them, to `out`; gives the notes by slot. Raises
        PluginError."""
        names = self._directory.names
        return self._plugin.evaluate(self._rows.mirrored(count), lambda: names[:count], time_ns, out[:count])

    def judged(self, count: int, scores: Floats) -> tuple[Slots, Floats]:
        """Of the first `count` slots those that hold data, and their scores; NaN for those that may not match."""
        slots = np.flatnonzero(self._held[:count]).astype(np.int32)
        return slots, np.where(self._watched[slots] != 0, scores[slots], np.nan)
