"""RateLimits: for which symbols the rate limit applies, by the feature flag `symbol_rate_limit`."""

from collections.abc import Mapping, Sequence
from typing import Any

from tickflag.common.arrays import ByteMask
from tickflag.common.errors import MessageError
from tickflag.common.flags import SYMBOL_RATE_LIMIT, SymbolFlagTable, rules_of
from tickflag.common.wire.codec import decode_as
from tickflag.common.wire.messages import Control
from tickflag.common.wire.sockets import Socket, receive


class RateLimits:
    """Follows the control state that comes on `socket`, which stays the caller's. One thread.

    Before the first control state the setting `flags` (`at_start`) decides.
    """

    def __init__(self, socket: Socket, at_start: Mapping[str, bool]) -> None:
        self._socket = socket
        named = {name: {"default": on} for name, on in at_start.items() if name == SYMBOL_RATE_LIMIT}
        self._features: Mapping[str, Any] = named
        self._rule = rules_of(named)[SYMBOL_RATE_LIMIT]

    def refresh(self) -> bool:
        """Follow the newest control state, if one came; True where that changed the rule. A control state that cannot
        be decoded changes nothing."""
        frame = receive(self._socket)
        if frame is None:
            return False
        try:
            features = decode_as(Control, frame).features
            rule = rules_of(features)[SYMBOL_RATE_LIMIT]
        except MessageError:
            return False
        changed = rule != self._rule
        self._features, self._rule = features, rule
        return changed

    def counts(self, symbol: str) -> bool:
        """Whether the rate limit applies to the symbol."""
        return self._rule.decide(SYMBOL_RATE_LIMIT, symbol).value

    def mask(self, symbols: Sequence[str]) -> ByteMask:
        """By slot: 1 where the rate limit applies."""
        table = SymbolFlagTable(SYMBOL_RATE_LIMIT)
        table.follow(self._features)
        table.extend(symbols)
        return table.mask
