"""AllowList: files that come and go, and whatever is in doubt."""

import os
from pathlib import Path

import pytest

from common.allowlist import AllowList
from tests.support.keyring import Keyring


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path)


@pytest.fixture
def allowed(keyring: Keyring) -> AllowList:
    """Ann may connect."""
    keyring.allow("ann")
    allowed = AllowList(keyring.allowed)
    assert not allowed.refresh()
    assert list(allowed.names.values()) == ["ann"]
    return allowed


def test_files_come_and_go(keyring: Keyring, allowed: AllowList) -> None:
    """One that comes is allowed; only one that goes is told of; what did not change is not read again."""
    keyring.allow("bob")
    assert not allowed.refresh()
    assert allowed.names == {keyring.pair("ann").public: "ann", keyring.pair("bob").public: "bob"}
    before = allowed.names
    assert not allowed.refresh()
    assert allowed.names is before
    keyring.revoke("ann")
    assert allowed.refresh()
    assert allowed.names == {keyring.pair("bob").public: "bob"}
    assert not allowed.refresh()
    assert allowed.trouble == []


def test_another_key_of_the_same_name(keyring: Keyring, allowed: AllowList) -> None:
    """The former one is allowed no more."""
    other = keyring.pair("other").public
    (keyring.allowed / "ann.key").write_text(f'curve\n    public-key = "{other.decode()}"\n')
    assert allowed.refresh()
    assert allowed.names == {other: "ann"}


def test_one_key_of_two_names(keyring: Keyring, allowed: AllowList) -> None:
    """It is the first one's."""
    (keyring.allowed / "zoe.key").write_bytes((keyring.allowed / "ann.key").read_bytes())
    assert not allowed.refresh()
    assert list(allowed.names.values()) == ["ann"]


def test_no_folder_is_nobody(tmp_path: Path) -> None:
    """And no trouble: nobody was allowed yet."""
    allowed = AllowList(tmp_path / "none")
    assert not allowed.refresh()
    assert (allowed.names, allowed.trouble) == ({}, [])


def test_files_that_are_no_keys_are_left_out(keyring: Keyring, allowed: AllowList) -> None:
    """With the reason; the others count. Files of other names are none of its business."""
    (keyring.allowed / "bad.key").write_text("hello")
    (keyring.allowed / "secret.key").write_bytes(keyring.secret_file("bob").read_bytes())
    (keyring.allowed / "notes.txt").write_text("hello")
    (keyring.allowed / ".ann.key").write_text("hello")
    os.mkfifo(keyring.allowed / "pipe.key")
    assert not allowed.refresh()
    assert list(allowed.names.values()) == ["ann"]
    assert [trouble.partition(": ")[0] for trouble in allowed.trouble] == ["left out"] * 3
    assert all(name in " ".join(allowed.trouble) for name in ("bad.key", "secret.key", "pipe.key"))
    before = allowed.trouble
    assert not allowed.refresh()
    assert allowed.trouble is before


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_left_out(keyring: Keyring, allowed: AllowList, mode: int) -> None:
    """Whoever writes it would choose who may connect."""
    (keyring.allowed / "ann.key").chmod(mode)
    assert allowed.refresh()
    assert allowed.names == {}
    assert "others can write to" in allowed.trouble[0]
    (keyring.allowed / "ann.key").chmod(0o644)
    allowed.refresh()
    assert (list(allowed.names.values()), allowed.trouble) == (["ann"], [])


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_folder_that_others_can_write_allows_nobody(keyring: Keyring, allowed: AllowList, mode: int) -> None:
    """As above."""
    keyring.allowed.chmod(mode)
    assert allowed.refresh()
    assert allowed.names == {}
    assert f"`chmod 700 {keyring.allowed}`" in allowed.trouble[0]


def test_what_belongs_to_others_allows_nobody(
    keyring: Keyring, allowed: AllowList, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their owner can write to it."""
    owner = os.getuid()
    if owner == 0:
        os.chown(keyring.allowed, 12_345, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert allowed.refresh()
    assert allowed.names == {}


def test_a_folder_that_cannot_be_read_allows_nobody(keyring: Keyring, allowed: AllowList) -> None:
    """Here it became a file."""
    keyring.revoke("ann")
    keyring.allowed.rmdir()
    keyring.allowed.write_text("")
    keyring.allowed.chmod(0o600)
    assert allowed.refresh()
    assert allowed.names == {}
    assert allowed.trouble == [f"{keyring.allowed}: Not a directory, so nobody is allowed"]
