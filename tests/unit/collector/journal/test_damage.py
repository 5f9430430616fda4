"""Whatever happens to the journal's files, no number is used for two signals, and every loss is told."""

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tickflag.common.errors import TickflagError
from tickflag.services.collector.journal import identity, mark
from tickflag.services.collector.journal.disk_sync import SyncMode
from tickflag.services.collector.journal.identity import LEAP
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.mark import BLOCK
from tickflag.services.collector.journal.notice_queue import UnnumberedNotice
from tickflag.services.collector.journal.record_store import RecordStore
from tickflag.services.collector.views.view import UnnumberedSignal

KINDS = ("", "-wal", "-tail", "-mark")


class Killed(NamedTuple):
    """The files that a killed collector left, and what it had published."""

    path: Path
    journal_id: str
    signals: dict[int, str]
    """Number -> symbol."""
    notices: int

    def file(self, kind: str) -> Path:
        return Path(f"{self.path}{kind}")


def unnumbered(symbol: str) -> UnnumberedSignal:
    return UnnumberedSignal("t", symbol, "entered", 1.0, 100, 7)


def notice(text: str) -> UnnumberedNotice:
    return UnnumberedNotice(1_000, "rsi", "plugin circuit", "closed", text, "why")


@pytest.fixture(scope="module", params=["folded", "unfolded"])
def origin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """300 signals in batches and 3 notices; the last 150 are in the tables' WAL, or in the log still."""
    path = tmp_path_factory.mktemp("origin") / "journal.sqlite"
    published: dict[int, str] = {}
    journal = Journal(path)
    records = RecordStore(journal)
    for number in range(100):
        rows = journal.commit([unnumbered(f"S{number}-{part}") for part in range(3)], [], 1)
        published |= {row.seq: row.symbol for row in rows}
        if number in (20, 50):
            journal.fold_all()
            records.write([notice(str(number))], {})
    if request.param == "folded":
        journal.fold_all()
    records.write([notice("last")], {})
    copy = path.with_name("killed.sqlite")
    for kind in KINDS:
        shutil.copy(f"{path}{kind}", f"{copy}{kind}")
    journal.close()
    return Killed(copy, journal.journal_id, published, records.last_seq)


@pytest.fixture
def killed(origin: Killed, tmp_path: Path) -> Killed:
    path = tmp_path / "journal.sqlite"
    for kind in KINDS:
        shutil.copy(f"{origin.path}{kind}", f"{path}{kind}")
    return origin._replace(path=path)


def check(killed: Killed) -> str:
    """What the next life says of a loss. Fails where a number stands for two signals or notices, or something is
    missing without a word."""
    with Journal(killed.path) as journal:
        records = RecordStore(journal)
        before = {signal.seq: signal.symbol for signal in journal.signals(0, 10_000)}
        (row,) = journal.commit([unnumbered("new")], [], 2)
        (told,) = records.write([notice("new")], {})
        assert all(killed.signals[number] == symbol for number, symbol in before.items())
        assert row.seq > max(killed.signals)
        assert told.seq > killed.notices
        if journal.journal_id == killed.journal_id:
            assert journal.begun.loss == ""
            assert before == killed.signals
            assert (row.seq, told.seq) == (max(killed.signals) + 1, killed.notices + 1)
        else:
            assert journal.begun.loss
            assert (journal.first_seq, records.first_seq) == (row.seq, told.seq)
            assert [one.seq for one in records.notices(0, 100)] == [told.seq]
        journal_id = journal.journal_id
    with Journal(killed.path) as again:
        assert (again.journal_id, again.begun.loss, again.last_seq) == (journal_id, "", row.seq)
        assert RecordStore(again).last_seq == told.seq
        return journal.begun.loss


def test_a_kill_alone_loses_nothing(killed: Killed) -> None:
    """The same journal id goes on."""
    assert check(killed) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_file(killed: Killed, kind: str) -> None:
    """Each of the four; without the tables, their WAL belongs to nothing."""
    killed.file(kind).unlink()
    if not kind:
        killed.file("-wal").unlink()
    loss = check(killed)
    assert loss or (kind == "-tail" and not _needs_tail(killed))


@pytest.mark.parametrize("kind", ["-wal", "-tail", "-mark"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_a_file_that_is_cut_off(killed: Killed, kind: str, share: float) -> None:
    """At its head, its middle, its end; by one byte."""
    data = killed.file(kind).read_bytes()
    killed.file(kind).write_bytes(data[: int((len(data) - 1) * share)])
    assert check(killed) or not data or (kind == "-tail" and not _needs_tail(killed))


@pytest.mark.parametrize("kind", ["-wal", "-tail", "-mark"])
@pytest.mark.parametrize("seed", range(25))
def test_a_flipped_bit(killed: Killed, kind: str, seed: int) -> None:
    """Anywhere in a file."""
    data = bytearray(killed.file(kind).read_bytes())
    if data:
        data[random.Random(seed).randrange(len(data))] ^= 1 << seed % 8
        killed.file(kind).write_bytes(data)
    check(killed)


def zeroed(data: bytearray, place: int) -> None:
    data[place : place + 600] = bytes(len(data[place : place + 600]))


def scrambled(data: bytearray, place: int) -> None:
    data[place : place + 600] = random.Random(place).randbytes(len(data[place : place + 600]))


def flipped(data: bytearray, place: int) -> None:
    data[place] ^= 1 << place % 8


def cut(data: bytearray, place: int) -> None:
    del data[place:]


def tables_go_on(killed: Killed) -> str:
    """What the next life says of a loss, where the tables may be damaged. Fails where it does not start, a number is
    given out twice, a loss is not told, or the damaged file is not kept. Other letters in a name go unnoticed."""
    with Journal(killed.path) as journal:
        records = RecordStore(journal)
        loss = journal.begun.loss
        journal.load()
        before = journal.signals(0, 10_000)
        (row,) = journal.commit([unnumbered("new")], [], 2)
        (told,) = records.write([notice("new")], {})
        assert row.seq > max(killed.signals)
        assert told.seq > killed.notices
        assert (journal.journal_id == killed.journal_id) is (loss == "")
        assert [one.seq for one in before] == ([] if loss else list(killed.signals))
        aside = [path for path in killed.path.parent.glob("*-damaged-*") if path.name.endswith("Z")]
        assert [f"it is kept as {path}" in loss for path in aside] == [True] * ("was damaged" in loss)
        journal_id = journal.journal_id
    with Journal(killed.path) as again:
        assert (again.journal_id, again.begun.loss, again.last_seq) == (journal_id, "", row.seq)
    return loss


@pytest.mark.parametrize("harm", [zeroed, scrambled, flipped, cut])
@pytest.mark.parametrize("share", [0.0, 0.005, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_damaged_tables(killed: Killed, harm: Callable[[bytearray, int], None], share: float) -> None:
    """At the head, in the middle, at the end: the file is set aside, and another journal id begins above all numbers
    that were given out."""
    moved_to_the_file(killed)
    data = bytearray(killed.file("").read_bytes())
    harm(data, int((len(data) - 1) * share))
    killed.file("").write_bytes(data)
    tables_go_on(killed)


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_of_the_tables(killed: Killed, seed: int) -> None:
    """Anywhere; half of them in the head, where SQLite says what the file is."""
    moved_to_the_file(killed)
    data = bytearray(killed.file("").read_bytes())
    sure = random.Random(seed)
    place = sure.randrange(len(data) if seed % 2 else 100)
    if place == 63:  # a format a little higher is taken for that of a newer version
        place += 4
    data[place] ^= 1 << sure.randrange(8)
    killed.file("").write_bytes(data)
    tables_go_on(killed)


def moved_to_the_file(killed: Killed) -> None:
    """Bring what SQLite's own log has to the file, so that harm to the file is harm to the signals."""
    with contextlib.closing(sqlite3.connect(killed.path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_what_is_salvaged(killed: Killed) -> None:
    """Documents that can be read. Where the mark is lost as well, the numbers go on far above the highest that can be
    read."""
    with Journal(killed.path) as journal:
        RecordStore(journal).write([], {"sums": {"a": 1}, "odd": [2]})
    with contextlib.closing(sqlite3.connect(killed.path)) as database, database:
        database.execute("UPDATE documents SET content = '{' WHERE name = 'odd'")
        database.execute("DELETE FROM signals WHERE seq = 100")
    killed.file("-mark").unlink()
    with Journal(killed.path) as journal:
        assert "signals are missing between 1 and 300" in journal.begun.loss
        assert journal.last_seq == 300 + LEAP
        records = RecordStore(journal)
        assert records.last_seq == 3 + LEAP
        assert (records.document("sums"), records.document("odd")) == ({"a": 1}, None)
        assert journal.load().traders == []


def test_tables_that_are_not_ours_any_more(killed: Killed) -> None:
    """A column that is missing, another program's database, a head that asks to be read only."""
    moved_to_the_file(killed)
    with contextlib.closing(sqlite3.connect(killed.path)) as database:
        database.execute("ALTER TABLE signals RENAME COLUMN note TO word")
    assert "no such column: note" in tables_go_on(killed)
    killed.file("").unlink()
    with contextlib.closing(sqlite3.connect(killed.path)) as database:
        database.execute("CREATE TABLE letters (a)")
    with Journal(killed.path) as journal:
        assert "some other program's database" in journal.begun.loss
    moved_to_the_file(killed)
    data = bytearray(killed.file("").read_bytes())
    data[18] = 9  # the format that a writer must know
    killed.file("").write_bytes(data)
    with Journal(killed.path) as journal:
        assert "readonly" in journal.begun.loss


def test_each_damaged_file_is_kept(killed: Killed) -> None:
    """Two of one second have names of their own."""
    moved_to_the_file(killed)
    for _ in range(2):
        killed.file("").write_bytes(b"harmed" * 1_000)
        with Journal(killed.path) as journal:
            assert "file is not a database" in journal.begun.loss
    others = ("-wal", "-shm", "-tail")
    kept = [path for path in killed.path.parent.glob("*-damaged-*") if not path.name.endswith(others)]
    assert [path.read_bytes()[:6] for path in kept] == [b"harmed"] * 2


def test_a_file_that_is_not_ours_is_left_alone(path: Path) -> None:
    """Where no mark and no log lie beside it, the start is refused."""
    path.write_bytes(b"a letter" * 1_000)
    with pytest.raises(TickflagError, match="is damaged: file is not a database"):
        Journal(path)
    assert path.read_bytes() == b"a letter" * 1_000
    assert list(path.parent.iterdir()) == [path]


def test_a_journal_in_use_is_not_set_aside(killed: Killed) -> None:
    """Another process writes it."""
    with Journal(killed.path) as journal, killed.path.open("r+b") as file:
        journal.database.try_checkpoint()
        file.write(b"harmed" * 20)
        with pytest.raises(TickflagError, match="cannot be used"):
            Journal(killed.path)
        file.seek(0)
        file.write(b"SQLite format 3\0")
    assert killed.path.exists()


def test_an_older_copy_of_the_tables(killed: Killed, tmp_path: Path) -> None:
    """A file that was put back from a backup belongs to no mark of today."""
    other = tmp_path / "other.sqlite"
    with Journal(other) as journal:
        journal.commit([unnumbered("A")], [], 1)
    killed.file("-wal").unlink()
    shutil.copy(other, killed.path)
    assert "do not belong together" in check(killed._replace(signals=killed.signals | {1: "A"}))


@pytest.fixture
def rebooted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets the system have another boot id."""

    def reboot(boot_id: str) -> None:
        for module in (identity, mark):
            monkeypatch.setattr(module, "boot_id", lambda: boot_id)

    return reboot


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.mark.parametrize(
    ("sync", "boot", "loses"),
    [
        ("off", "first", False),
        ("1s", "first", False),
        ("always", "first", False),
        ("off", "second", True),
        ("1s", "second", True),
        ("always", "second", False),
        ("1s", "", True),
    ],
)
def test_a_power_cut(path: Path, rebooted: Callable[[str], None], sync: SyncMode, boot: str, loses: bool) -> None:
    """A file that ends early looks alike after a kill and after a power cut; the boot id tells them apart. A system
    without one is trusted only after an orderly end."""
    rebooted("first" if boot else "")
    journal = Journal(path, sync=sync)
    journal.commit([unnumbered("A"), unnumbered("B")], [], 1)
    copy = path.with_name("cut.sqlite")
    for kind in KINDS:
        shutil.copy(f"{path}{kind}", f"{copy}{kind}")
    journal.close()
    rebooted(boot)
    with Journal(copy) as after:
        assert ("the machine went down" in after.begun.loss) is loses
        assert after.last_seq == (BLOCK if loses else 2)
    with Journal(path) as after:  # which was closed in order
        assert (after.begun.loss, after.last_seq) == ("", 2)


def test_a_mark_that_is_gone_leaves_a_leap(path: Path) -> None:
    """Nothing says how many numbers were given out, so the new ones begin far above, and so does the control state."""
    with Journal(path) as journal:
        journal.commit([unnumbered("A")], [], 5)
    Path(f"{path}-mark").unlink()
    with Journal(path) as journal:
        assert journal.begun.former_id
        assert journal.last_seq == 1 + LEAP
        assert journal.load().state_version == 5 + LEAP


def test_a_disk_that_fails_at_the_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end is not called orderly, and is none to fail at."""
    journal = Journal(path, sync="always")
    journal.commit([unnumbered("A")], [], 5)

    def broken(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fdatasync", broken)
    journal.close()
    monkeypatch.undo()
    with Journal(path) as journal:
        assert journal._files.mark.former is not None
        assert not journal._files.mark.former.orderly


def _needs_tail(killed: Killed) -> bool:
    """Whether signals are in the log only."""
    tables = killed.path.with_name("tables.sqlite")
    for kind in ("", "-wal"):
        if killed.file(kind).exists():
            shutil.copy(killed.file(kind), f"{tables}{kind}")
    with Journal(tables) as journal:
        return journal.last_seq < max(killed.signals)


def test_the_log_is_kept_until_the_tables_are_on_the_disk(path: Path) -> None:
    """A power cut between fold and disk leaves the signals in the log; after an orderly end it is empty."""
    with Journal(path, sync="1s") as journal:
        journal._files.sync.close()  # the thread that would bring them there
        journal.commit([unnumbered("A")], [], 1)
        journal.fold()
        assert journal.unfolded == 0
        assert journal._files.log.size > 0
        journal._files.sync.sync()
        journal.fold()
        assert journal._files.log.size == 0
        journal.commit([unnumbered("B")], [], 1)
    assert Path(f"{path}-tail").stat().st_size == 0
