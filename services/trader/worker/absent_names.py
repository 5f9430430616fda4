"""AbsentNames: what a trader names and its market has not, judged once the market's symbols are known."""

from tickflag.common.segment.layout import SYMBOL_COUNT
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory
from tickflag.common.traderapi import Trader
from tickflag.services.trader.evaluation.planning.absent_symbols import absent_symbols


class AbsentNames:
    """Call `judge` at every heartbeat; then `text` says what is absent, empty for nothing."""

    def __init__(self, trader: Trader) -> None:
        self.text = ""
        self._trader = trader
        self._seen = 0  # symbols at the last heartbeat; a market that still grows is not known yet
        self._judged = 0

    def judge(self, segment: Segment) -> None:
        """Set `text` once the number of symbols stands still, and again when there are more."""
        count = int(segment.arrays.living[SYMBOL_COUNT])
        settled, self._seen = count == self._seen, count
        if settled and count and count != self._judged:
            self._judged = count
            directory = SymbolDirectory(segment)  # the runner's is that of its last step
            directory.refresh()
            self.text = absent_symbols(self._trader, directory.names)
