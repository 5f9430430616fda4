"""AllowList: files that come and go, and whatever is in doubt."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import zmq.auth

from tests.support.harnesses.keyring import Keyring
from tickflag.common.wire.allowlist import AllowList


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path)


@pytest.fixture
def allowed(keyring: Keyring) -> AllowList:
    """An allow list with Ann on it."""
    keyring.allow("ann")
    allowed = AllowList(keyring.allowed)
    assert not allowed.refresh()
    assert list(allowed.names.values()) == ["ann"]
    return allowed


def test_files_come_and_go(keyring: Keyring, allowed: AllowList) -> None:
    """A new file allows its key; only a file that went is reported; an unchanged file is not read again."""
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
    """The former key is not allowed any more."""
    other = keyring.pair("other").public
    (keyring.allowed / "ann.key").write_text(f'curve\n    public-key = "{other.decode()}"\n')
    assert allowed.refresh()
    assert allowed.names == {other: "ann"}


def test_one_key_of_two_names(keyring: Keyring, allowed: AllowList) -> None:
    """The name that comes first has it."""
    (keyring.allowed / "zoe.key").write_bytes((keyring.allowed / "ann.key").read_bytes())
    assert not allowed.refresh()
    assert list(allowed.names.values()) == ["ann"]


def test_no_folder_is_nobody(tmp_path: Path) -> None:
    """A missing folder is no trouble: nobody was allowed yet."""
    allowed = AllowList(tmp_path / "none")
    assert not allowed.refresh()
    assert (allowed.names, allowed.trouble) == ({}, [])


def test_files_that_are_no_keys_are_left_out(keyring: Keyring, allowed: AllowList) -> None:
    """The reason is given, and the other files count. Files with other endings are ignored."""
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
    """Whoever can write the file could choose who may connect."""
    (keyring.allowed / "ann.key").chmod(mode)
    assert allowed.refresh()
    assert allowed.names == {}
    assert "others can write to" in allowed.trouble[0]
    (keyring.allowed / "ann.key").chmod(0o644)
    allowed.refresh()
    assert (list(allowed.names.values()), allowed.trouble) == (["ann"], [])


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_folder_that_others_can_write_allows_nobody(keyring: Keyring, allowed: AllowList, mode: int) -> None:
    """Whoever can write the folder could choose too."""
    keyring.allowed.chmod(mode)
    assert allowed.refresh()
    assert allowed.names == {}
    assert f"`chmod 700 {keyring.allowed}`" in allowed.trouble[0]


def test_what_belongs_to_others_allows_nobody(
    keyring: Keyring, allowed: AllowList, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner could write to it."""
    owner = os.getuid()
    if owner == 0:
        os.chown(keyring.allowed, 12_345, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert allowed.refresh()
    assert allowed.names == {}


def test_a_folder_that_cannot_be_read_allows_nobody(keyring: Keyring, allowed: AllowList) -> None:
    """In this test the folder became a file."""
    keyring.revoke("ann")
    keyring.allowed.rmdir()
    keyring.allowed.write_text("")
    keyring.allowed.chmod(0o600)
    assert allowed.refresh()
    assert allowed.names == {}
    assert allowed.trouble == [f"{keyring.allowed}: Not a directory, so nobody is allowed"]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
@pytest.mark.parametrize("call", ["listdir", "load_certificate"])
def test_a_shortage_changes_nothing(
    keyring: Keyring, allowed: AllowList, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    """Too few descriptors, or too little memory, say nothing about the files. The list is read again when they are
    there."""
    keyring.allow("bob")

    def short(*_: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as shortage:
        where: Any = os if call == "listdir" else zmq.auth
        shortage.setattr(where, call, short)
        assert not allowed.refresh()
        assert not allowed.refresh()
    assert list(allowed.names.values()) == ["ann"]
    assert allowed.trouble == [f"{keyring.allowed}: {os.strerror(number)}: the keys that were allowed stay so"]
    assert not allowed.refresh()
    assert (sorted(allowed.names.values()), allowed.trouble) == (["ann", "bob"], [])
