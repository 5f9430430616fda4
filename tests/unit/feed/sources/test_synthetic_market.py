"""SyntheticSource: the commands of operators."""

from typing import Any, cast

import pytest

from tests.support.processes.hostile import WRONG
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.errors import TickflagError
from tickflag.common.log import Logger
from tickflag.common.settings import load
from tickflag.common.wire.arguments import Arguments
from tickflag.services.feed.sources.source import Venue
from tickflag.services.feed.sources.synthetic import SyntheticSource

SYMBOLS = 3


@pytest.fixture
def source() -> SyntheticSource:
    """An open market that is quiet by itself."""
    source = SyntheticSource(load(synthetic={"symbols": SYMBOLS, "rate": 0, "history": 0}).synthetic)
    slots: dict[str, int] = {}
    source.open(Venue(lambda name: slots.setdefault(name, len(slots)), (60,), 0, 0, cast(Logger, RecordedLog())))
    return source


def _ticks(source: SyntheticSource) -> int:
    return sum(len(batch.rows) for batch in source.drain(1, 1))


def test_a_burst_lets_as_many_symbols_tick(source: SyntheticSource) -> None:
    """Exactly so many symbols tick in the next turn, once."""
    assert source.command("burst", Arguments("burst", {"symbols": SYMBOLS})) == {"symbols": SYMBOLS}
    assert (_ticks(source), _ticks(source)) == (SYMBOLS, 0)


@pytest.mark.parametrize("symbols", [*WRONG, True, 0, SYMBOLS + 1, "2"], ids=lambda value: type(value).__name__)
def test_a_burst_of_anything_else_is_refused(source: SyntheticSource, symbols: Any) -> None:
    """Then nothing ticks."""
    with pytest.raises(
        TickflagError, match=f"argument 'symbols' of 'burst' must be a whole number from 1 to {SYMBOLS}"
    ):
        source.command("burst", Arguments("burst", {"symbols": symbols}))
    for arguments in ({}, {"symbols": 1, "more": 1}):
        with pytest.raises(TickflagError):
            source.command("burst", Arguments("burst", arguments))
    with pytest.raises(TickflagError, match="knows no command 'crash'"):
        source.command("crash", Arguments("crash", {}))
    assert _ticks(source) == 0
