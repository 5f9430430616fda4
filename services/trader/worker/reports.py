"""Reports: what a trader, or the supervisor, tells the collector of what went wrong. Sent at once, or as soon as it
can be taken: a collector that is away hears of the last ones when it is back."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from common.codec import encode
from common.messages import STACK_LIMIT, Fault, FaultKind

KEEP = 100
SYMBOLS = 20  # named of those at fault
MS = 1_000_000


class Reports:
    """`send` gives False where a frame cannot be taken. One thread; never waits."""

    def __init__(self, send: Callable[[bytes], bool]) -> None:
        self._send = send
        self._waiting: deque[bytes] = deque(maxlen=KEEP)

    def fault(
        self,
        trader: str,
        incarnation: int,
        cycle: int,
        what: FaultKind,
        text: str,
        stack: str = "",
        cycles: int = 0,
        symbols: Sequence[str] = (),
    ) -> None:
        """As the message of that name."""
        message = Fault(
            trader=trader,
            incarnation=incarnation,
            cycle=cycle,
            time_ms=time.time_ns() // MS,
            what=what,
            text=text[:4096],
            stack=stack[-STACK_LIMIT:],
            cycles=cycles,
            symbols=list(symbols[:SYMBOLS]),
        )
        self._waiting.append(encode(message))
        self.flush()

    def flush(self) -> None:
        """Send what is waiting, as far as it is taken."""
        while self._waiting and self._send(self._waiting[0]):
            self._waiting.popleft()
