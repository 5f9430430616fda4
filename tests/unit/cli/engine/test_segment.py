"""`segment`: files and rows are shown as they are; files left by a crash are removed."""

import json
import os
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.markets.markets import open_market, swap, tick_batch
from tests.support.stand_ins.kernels import plain_kernels
from tests.unit.cli.conftest import Answers, Run
from tickflag.common.runtime import POINTER, Role, Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.wire import sockets
from tickflag.services.cli.engine import segment_dump
from tickflag.services.cli.engine.stale_files import endpoints


@pytest.fixture
def plain() -> Iterator[None]:
    """Kernels without the compiler: these tests are about the output."""
    with plain_kernels():
        yield


def make(runtime: Runtime) -> str:
    """Make a segment file that nobody maps; gives its name."""
    with Segment.create(runtime, layout.plan(40, 2, (60, 300))) as segment:
        segment.publish(runtime)
        return segment.path.name


def test_ls_tells_the_state_of_every_file(runtime: Runtime, run: Run) -> None:
    """A file is ready, or the reason why not is shown; one file is current."""
    old, current = make(runtime), make(runtime)
    runtime.write_pointer(current)
    (runtime.folder / "cut.seg").write_bytes((runtime.folder / old).read_bytes()[:100])
    (runtime.folder / "other.seg").write_bytes(b"something else")
    (runtime.folder / "empty.seg").write_bytes(b"")
    files = {file["file"]: file for file in json.loads(run("segment", "ls", "--json").stdout)}
    assert {name: (file["state"], file["current"]) for name, file in files.items()} == {
        old: ("ready", False),
        current: ("ready", True),
        "cut.seg": ("damaged", False),
        "other.seg": ("not a tickflag segment", False),
        "empty.seg": ("not ready", False),
    }
    assert files[current]["generation"] == current.removesuffix(".seg")
    assert files[current]["owner_pid"] == os.getpid()
    assert files[current]["bytes"] == layout.plan(40, 2, (60, 300)).total_bytes
    assert len(run("segment", "ls").stdout.splitlines()) == 1 + len(files)


def test_dump_shows_rows_counters_and_channels(runtime: Runtime, run: Run, plain: None) -> None:
    """The document has what was written, and null where nothing was written."""
    with open_market(runtime, symbols=3) as market:
        market.apply(tick_batch([0, 1], [10.0, 20.0], bid=[9.5, np.nan]), 1)
        swap(market)
        market.apply(tick_batch([1], [21.0]), 2)
        document = json.loads(run("segment", "dump", "S1", "S2", "--json").stdout)
        text = run("segment", "dump").stdout
    assert document["counters"]["updates"] == 3
    assert document["header"]["intervals"] == ["1m", "5m"]
    assert document["channels"][0] == {"channel": "ticker", "open": 2, "closed": 1, "stamp_a": 0, "stamp_b": 1}
    first, second = document["symbols"]
    assert (first["symbol"], first["slot"], first["last"], first["bid"], first["version"]) == ("S1", 1, 21.0, None, 4)
    assert first["candles"] == {"1m": 0, "5m": 0}
    assert (second["symbol"], second["version"], second["status"]) == ("S2", 0, "trading")
    assert [line.split()[1] for line in text.splitlines()[-3:]] == ["S0", "S1", "S2"]


def test_dump_without_names_shows_the_first_few(
    runtime: Runtime, run: Run, plain: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many more there are; `--all` shows them all."""
    monkeypatch.setattr(segment_dump, "FIRST", 2)
    with open_market(runtime, symbols=5):
        assert "and 3 more" in run("segment", "dump").stdout
        assert len(json.loads(run("segment", "dump", "--json").stdout)["symbols"]) == 2
        assert len(json.loads(run("segment", "dump", "--all", "--json").stdout)["symbols"]) == 5


def test_a_row_that_stays_locked_is_said_to_be(runtime: Runtime, run: Run, plain: None) -> None:
    """The writer ended within the row: no torn row is shown, and the others are."""
    with open_market(runtime, symbols=2) as market:
        market.apply(tick_batch([0, 1], [10.0, 20.0]), 1)
        market.segment.arrays.versions[0] += 1
        locked, whole = json.loads(run("segment", "dump", "--json").stdout)["symbols"]
        assert "locked" in run("segment", "dump").stdout
    assert locked["locked"]
    assert "last" not in locked
    assert whole["last"] == 20.0


def test_the_debug_ring_is_shown_oldest_first(runtime: Runtime, run: Run, plain: None) -> None:
    """The ring has the last 100 updates since it was switched on; while it has none, a sentence says why."""
    with open_market(runtime, symbols=2) as market:
        assert json.loads(run("segment", "dump", "--debug", "--json").stdout)["debug"] == []
        off = "no updates in the debug ring: it is off: `tickflag segment debug on` fills it"
        assert run("segment", "dump", "--debug").stdout.splitlines()[-1] == off
        market.segment.arrays.living[layout.DEBUG_ON] = 1
        on = "no updates in the debug ring: it is on, and nothing was written since"
        assert run("segment", "dump", "--debug").stdout.splitlines()[-1] == on
        for number in range(layout.DEBUG_RING + 5):
            market.apply(tick_batch([number % 2], [10.0]), 1_000_000 * number)
        entries = json.loads(run("segment", "dump", "--debug", "--json").stdout)["debug"]
        assert run("segment", "dump", "--debug").stdout.count(" tick ") == layout.DEBUG_RING
    assert len(entries) == layout.DEBUG_RING
    assert [entry["symbol"] for entry in entries[:2]] == ["S1", "S0"]
    ages = [entry["age_ms"] for entry in entries]
    assert ages == sorted(ages, reverse=True)


def test_dump_without_a_segment(runtime: Runtime, run: Run) -> None:
    """The error says what to do and, for an unusable segment, why it is unusable."""
    result = run("segment", "dump")
    assert result.stderr == "tickflag: no feed is running for instance 'test' (start it with `tickflag start`)\n"
    runtime.write_pointer("gone.seg")
    assert run("segment", "dump").stderr == "tickflag: segment gone.seg: missing\n"


def test_clean_removes_what_is_nobodys(runtime: Runtime, run: Run) -> None:
    """Segments, pointer and sockets of services that do not run are removed, and nothing else."""
    name = make(runtime)
    for endpoint in endpoints():
        (runtime.folder / endpoint).touch()
    (runtime.folder / "journal.sqlite").touch()
    with Role(runtime, "feed"):
        result = run("segment", "clean")
        assert (result.exit_code, result.stdout) == (75, "")
        assert str(os.getpid()) in result.stderr
        assert (runtime.folder / name).exists()
    with Role(runtime, "collector"), Role(runtime, "trader"):
        removed = json.loads(run("segment", "clean", "--json").stdout)
    feed = {sockets.EVENTS_OUT.endpoint, sockets.FEED_COMMANDS_SERVER.endpoint}
    assert set(removed) == {name, POINTER, *feed}
    assert run("segment", "clean").stdout.count("removed ") == len(endpoints()) - len(feed)
    assert run("segment", "clean").stdout == f"nothing to remove in {runtime.folder}\n"
    assert (runtime.folder / "journal.sqlite").exists()


def test_clean_where_nothing_ever_ran(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder is made."""
    monkeypatch.setenv("TICKFLAG_INSTANCE", "never")
    assert run("segment", "clean").exit_code == 0
    assert not (runtime.folder.parent / "never").exists()


def test_commands_for_the_feed(runtime: Runtime, run: Run, answers: Answers) -> None:
    """Each command sends its request, and words the answer."""
    asked: list[object] = []
    answers["swap"] = {"channels": 1}
    answers["debug"] = lambda on: asked.append(on)
    answers["burst"] = lambda symbols: {"symbols": symbols}
    assert run("segment", "swap").stdout == "swapped: 1 channel had updates to announce\n"
    assert run("segment", "debug", "on").stdout == "debug ring on\n"
    assert run("segment", "debug", "off").stdout == "debug ring off\n"
    assert asked == [True, False]
    assert run("synthetic", "burst", "1500").stdout == "1,500 symbols tick at once\n"
    assert run("synthetic", "burst", "0").exit_code == 2
