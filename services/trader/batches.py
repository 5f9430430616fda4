"""Batches: how many symbols are evaluated at a time."""

from common.blocks import TraderBlock


class Batches:
    """Vectorised traders always get at most `chunk` rows a call, which keeps them in the cache.

    Per-symbol traders get a cycle as a whole, unless it is in batch mode: with more symbols than `batch_symbols`, or
    with more than `batch_share` of all. Then it is cut into chunks of `batch_chunk`, and between two of them the worker
    serves control messages, heartbeat and deadline. Where that is not `wanted`, no cycle is interrupted.
    """

    def __init__(self, vectorised: bool, settings: TraderBlock) -> None:
        self._vectorised, self._settings = vectorised, settings
        self.wanted = True
        self.most = settings.chunk if vectorised else max(settings.batch_symbols, settings.batch_chunk)
        """How many are read at once at most."""

    def chunk(self, symbols: int, of: int) -> int:
        """How many of a cycle's `symbols` at a time, where a pass over everything would take `of`."""
        settings = self._settings
        if (
            self._vectorised
            or not self.wanted
            or (symbols <= settings.batch_symbols and symbols <= settings.batch_share * of)
        ):
            return self.most
        return settings.batch_chunk
