"""Reports: faults that a trader or the supervisor tells the collector.

Each fault is sent at once, or as soon as that is possible: a collector that was away hears of the last `KEEP` faults.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence

from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.codec import encode
from tickflag.common.wire.messages import STACK_LIMIT, Fault, FaultKind

KEEP = 100
SYMBOLS = 20  # a fault names no more


class Reports:
    """Sends faults. `send` gives False for a frame that it could not send. One thread; never waits."""

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
        """Send a Fault; the arguments are its fields. Text, stack and symbols are cut to what a message may hold."""
        message = Fault(
            trader=trader,
            incarnation=incarnation,
            cycle=cycle,
            time_ms=time.time_ns() // NS_PER_MS,
            what=what,
            text=text[:4096],
            stack=stack[-STACK_LIMIT:],
            cycles=cycles,
            symbols=list(symbols[:SYMBOLS]),
        )
        self._waiting.append(encode(message))
        self.flush()

    def flush(self) -> None:
        """Send the waiting faults, until one cannot be sent."""
        while self._waiting and self._send(self._waiting[0]):
            self._waiting.popleft()
