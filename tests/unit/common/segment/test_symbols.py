import pytest

from tickflag.common.errors import SymbolTableFull, TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory, SymbolTable

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def segment(runtime: Runtime) -> Segment:
    """A segment with room for three symbols."""
    segment = Segment.create(runtime, layout.plan(3, 1, (60,)))
    segment.publish(runtime)
    return segment


def test_slots_are_given_in_order_and_kept(segment: Segment) -> None:
    """A new symbol gets the next slot, a known one always the same."""
    table = SymbolTable(segment)
    assert [table.slot(name) for name in ("BTC", "ETH", "BTC", "ÅÄ/€")] == [0, 1, 0, 2]
    assert len(table) == 3
    assert "ETH" in table
    assert "XRP" not in table


def test_a_full_table_refuses_the_new_symbol_only(segment: Segment) -> None:
    """The error names the refused symbol and the settings to change; the others keep their slots."""
    table = SymbolTable(segment)
    for name in ("A", "B", "C"):
        table.slot(name)
    with pytest.raises(SymbolTableFull, match=r"'D' refused: all 3 slots.*segment\.capacity.*segment\.growth"):
        table.slot("D")
    assert table.slot("C") == 2
    assert len(table) == 3


@pytest.mark.parametrize("name", ["", "x" * 48, "é" * 24, "A\0B", "A\0", "\ud800"])
def test_a_name_that_cannot_be_kept_is_refused(segment: Segment, name: str) -> None:
    """A name that is empty, too long, contains a zero byte or is no text raises a typed error, and uses no slot."""
    table = SymbolTable(segment)
    with pytest.raises(TickflagError, match="1 to 47 bytes"):
        table.slot(name)
    assert len(table) == 0


def test_the_longest_name_is_kept_whole(segment: Segment) -> None:
    """47 bytes come back as they were."""
    SymbolTable(segment).slot("x" * 47)
    directory = SymbolDirectory(segment)
    directory.refresh()
    assert directory.names == ["x" * 47]


def test_readers_follow_the_table(runtime: Runtime, segment: Segment) -> None:
    """A directory over a read-only mapping knows a symbol after its next refresh, both ways, and forgets none."""
    table = SymbolTable(segment)
    with Segment.attach_current(runtime) as reader:
        directory = SymbolDirectory(reader)
        assert directory.refresh() == len(directory) == 0
        table.slot("BTC")
        assert directory.slot("BTC") is None
        assert directory.refresh() == 1
        assert (directory.slot("BTC"), directory.names) == (0, ["BTC"])
        table.slot("ETH")
        table.slot("XRP")
        assert directory.refresh(2) == 2
        assert directory.names == ["BTC", "ETH"]
        assert directory.refresh() == directory.refresh() == 3
        assert directory.slot("XRP") == 2


def test_a_table_finds_what_the_segment_holds(segment: Segment) -> None:
    """A table over a segment with symbols goes on where the table before it ended."""
    SymbolTable(segment).slot("BTC")
    table = SymbolTable(segment)
    assert [table.slot(name) for name in ("ETH", "BTC")] == [1, 0]


def test_a_symbol_is_found_or_those_near_it_are_named(segment: Segment) -> None:
    """The error for a mistyped symbol suggests similar ones, where there are any."""
    table, directory = SymbolTable(segment), SymbolDirectory(segment)
    table.slot("BTCUSDT")
    directory.refresh()
    assert directory.find("BTCUSDT") == 0
    with pytest.raises(TickflagError, match=r"no symbol 'BTCUSD' among the 1 of the segment: did you mean BTCUSDT\?"):
        directory.find("BTCUSD")
    with pytest.raises(TickflagError, match=r"no symbol 'xyz' among the 1 of the segment$"):
        directory.find("xyz")


def test_the_table_has_its_names_by_slot(segment: Segment) -> None:
    """The names stand in the order in which they came."""
    table = SymbolTable(segment)
    for name in ("BTC", "ETH", "BTC", "ADA"):
        table.slot(name)
    assert table.names == ["BTC", "ETH", "ADA"]
