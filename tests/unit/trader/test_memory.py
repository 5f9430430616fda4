"""What the trader service keeps over restarts."""

from pathlib import Path

import pytest

from common.errors import TickflagError
from services.trader.memory import Memory


def test_it_survives(tmp_path: Path) -> None:
    """Switches and names, until they change or are forgotten."""
    path = tmp_path / "traders.json"
    memory = Memory(path)
    assert (memory.switched, memory.names, memory.fault, path.exists()) == ({}, {}, "", False)
    memory.switch("a.py", False)
    memory.switch("b.py", True)
    memory.learn("a.py", "alpha")
    memory.learn("b.py", "beta")
    memory.forget("b.py")
    memory.forget("c.py")
    again = Memory(path)
    assert again.switched == {"a.py": False, "b.py": True}
    assert again.names == {"a.py": "alpha"}


def test_what_does_not_change_is_not_written(tmp_path: Path) -> None:
    """A trader that tells its name at each start costs no write."""
    memory = Memory(tmp_path / "traders.json")
    memory.learn("a.py", "alpha")
    memory.switch("a.py", True)
    (tmp_path / "traders.json").unlink()
    memory.learn("a.py", "alpha")
    memory.switch("a.py", True)
    assert not (tmp_path / "traders.json").exists()


def test_without_room_nothing_ends(tmp_path: Path) -> None:
    """What is only learnt is learnt again; an operator is told."""
    memory = Memory(tmp_path / "missing" / "traders.json")
    memory.learn("a.py", "alpha")
    memory.forget("a.py")
    with pytest.raises(TickflagError, match=r"done, but not kept over a restart: .*traders\.json: No such file"):
        memory.switch("a.py", False)
    assert memory.switched == {"a.py": False}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"switched": 3, "names": {}}', '{"switched": {}, "names": []}']
)
def test_a_damaged_file_counts_as_empty(tmp_path: Path, content: str) -> None:
    """And is named."""
    path = tmp_path / "traders.json"
    path.write_text(content)
    memory = Memory(path)
    assert (memory.switched, memory.names) == ({}, {})
    assert str(path) in memory.fault
    memory.switch("a.py", False)
    assert Memory(path).switched == {"a.py": False}
