"""SavedTraders: what the trader service still knows of its traders after a restart."""

from pathlib import Path

import pytest

from tickflag.common.errors import TickflagError
from tickflag.services.trader.supervisor.saved_traders import SavedTraders


def test_it_survives(tmp_path: Path) -> None:
    """Switches and names survive until they change or are forgotten."""
    path = tmp_path / "traders.json"
    saved = SavedTraders(path)
    assert (saved.switches, saved.names, saved.fault, path.exists()) == ({}, {}, "", False)
    saved.save_switch("a.py", False)
    saved.save_switch("b.py", True)
    saved.save_name("a.py", "alpha")
    saved.save_name("b.py", "beta")
    saved.forget_name("b.py")
    saved.forget_name("c.py")
    again = SavedTraders(path)
    assert again.switches == {"a.py": False, "b.py": True}
    assert again.names == {"a.py": "alpha"}


def test_what_does_not_change_is_not_written(tmp_path: Path) -> None:
    """A trader that declares its name at each start costs no write."""
    saved = SavedTraders(tmp_path / "traders.json")
    saved.save_name("a.py", "alpha")
    saved.save_switch("a.py", True)
    (tmp_path / "traders.json").unlink()
    saved.save_name("a.py", "alpha")
    saved.save_switch("a.py", True)
    assert not (tmp_path / "traders.json").exists()


def test_without_room_nothing_ends(tmp_path: Path) -> None:
    """A name will be declared again; for a switch, the operator hears that it is not saved."""
    saved = SavedTraders(tmp_path / "missing" / "traders.json")
    saved.save_name("a.py", "alpha")
    saved.forget_name("a.py")
    for _ in range(2):  # the same decision again is not kept either
        with pytest.raises(TickflagError, match=r"done, but not kept over a restart: .*traders\.json: No such file"):
            saved.save_switch("a.py", False)
    assert saved.switches == {"a.py": False}
    (tmp_path / "missing").mkdir()
    saved.save_switch("a.py", False)
    assert SavedTraders(tmp_path / "missing" / "traders.json").switches == {"a.py": False}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JSON: Expecting value, line 1"),
        (b"{\n", "no JSON: Expecting property name enclosed in double quotes, line 2"),
        (b"[]", "a value is of another kind, or out of its limits"),
        (b"[" * 100_000, "a value is of another kind, or out of its limits"),
        (b"{}", "'switched' is missing, or means nothing"),
        (b"\xff", "no text"),
        (b'{"switched": 3, "names": {}}', "a value is of another kind, or out of its limits"),
        (b'{"switched": {}, "names": []}', "a value is of another kind, or out of its limits"),
        (b'{"switched": {}, "names": {}, "life": "x"}', "a value is of another kind, or out of its limits"),
    ],
)
def test_a_damaged_file_counts_as_empty(tmp_path: Path, content: bytes, words: str) -> None:
    """`fault` names the file and says in plain words what is wrong with it."""
    path = tmp_path / "traders.json"
    path.write_bytes(content)
    saved = SavedTraders(path)
    assert saved.fault == f"{path}: {words}"
    saved.save_switch("a.py", False)
    assert SavedTraders(path).switches == {"a.py": False}


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The system's words are taken."""
    (tmp_path / "traders.json").mkdir()
    assert SavedTraders(tmp_path / "traders.json").fault == f"{tmp_path / 'traders.json'}: Is a directory"
