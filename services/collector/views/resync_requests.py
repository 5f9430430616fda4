"""ResyncRequests: which traders owe the collector a snapshot, and the token that each snapshot must carry."""

from collections.abc import Callable


class ResyncRequests:
    """Pure; one thread."""

    def __init__(self, next_version: Callable[[], int]) -> None:
        """`next_version` gives a number that was never given before, in this life or a former one. It is called once
        for each change of the requests."""
        self._next_version = next_version
        self.tokens: dict[str, int] = {}
        """Trader -> token of the snapshot that is wanted from it. Not to be changed."""

    def want(self, trader: str) -> int:
        """Ask a trader for a snapshot; gives the token, a new one even where the trader was asked already.

        Tokens are unique over all lives of the journal, so the answer to an earlier request is never taken for the
        answer to this one.
        """
        token = self.tokens[trader] = self._next_version()
        return token

    def settle(self, trader: str) -> None:
        """End the request for a snapshot: it came, or nobody wants it any more."""
        if self.tokens.pop(trader, None) is not None:
            self._next_version()
