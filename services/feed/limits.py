"""RateLimits: for which symbols the rate limit counts, by the feature flag `symbol_rate_limit`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from common.codec import decode_as
from common.errors import MessageError
from common.flags import SymbolTable, rules_of
from common.messages import Control
from common.sockets import Socket, receive

FLAG = "symbol_rate_limit"


class RateLimits:
    """Follows the control state that comes on `socket`, which it borrows. One thread.

    Until the first one, the setting `flags` counts (`at_start`).
    """

    def __init__(self, socket: Socket, at_start: Mapping[str, bool]) -> None:
        self._socket = socket
        self._features: Mapping[str, Any] = {FLAG: {"default": at_start[FLAG]}} if FLAG in at_start else {}
        self._rule = rules_of(self._features)[FLAG]

    def look(self) -> bool:
        """Take the newest control state; True where the rule is another one. One that cannot be understood changes
        nothing."""
        frame = receive(self._socket)
        if frame is None:
            return False
        try:
            features = decode_as(Control, frame).features
            rule = rules_of(features)[FLAG]
        except MessageError:
            return False
        changed = rule != self._rule
        self._features, self._rule = features, rule
        return changed

    def counts(self, symbol: str) -> bool:
        """For one symbol."""
        return self._rule.decide(FLAG, symbol).value

    def mask(self, symbols: Sequence[str]) -> npt.NDArray[np.uint8]:
        """For all of them, by slot: 1 where the limit counts."""
        table = SymbolTable(FLAG)
        table.follow(self._features)
        table.extend(symbols)
        return table.mask
