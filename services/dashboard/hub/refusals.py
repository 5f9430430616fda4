"""Refusals: why the hub does not answer. Each holds plain words for the one who asked."""

from tickflag.common.errors import TickflagError


class Refused(TickflagError):  # noqa: N818 - reads as the state it reports
    """There is no such topic or command, or its arguments are wrong."""


class NotFound(Refused):
    """There is no such trader, symbol or feature flag."""


class TokenNeeded(Refused):
    """Only those with the token may have it."""
