"""The token's file."""

import os
import stat
from pathlib import Path

import pytest

from tickflag.common.errors import TickflagError
from tickflag.services.dashboard.web.token import token_of


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    """Only its owner can read it; the second start finds the same; nothing else is left in the folder."""
    path = tmp_path / "below" / "token"
    token = token_of(path)
    assert len(token) >= 40
    assert token_of(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["token"]
    assert token_of(tmp_path / "other") != token


def test_another_umask_changes_nothing(tmp_path: Path) -> None:
    """The mode is that of the file, whatever the process allows for new files."""
    before = os.umask(0)
    try:
        token_of(tmp_path / "token")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read(tmp_path: Path, mode: int) -> None:
    """It is refused, with what to do."""
    path = tmp_path / "token"
    token_of(path)
    path.chmod(mode)
    with pytest.raises(TickflagError, match=f"others may read it: `chmod 600 {path}`"):
        token_of(path)


@pytest.mark.parametrize("content", ["", "short", "a token with spaces in it", "x" * 300, "é" * 30])
def test_a_file_that_holds_no_token(tmp_path: Path, content: str) -> None:
    """A token that could be guessed, or does not fit a cookie, is refused."""
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(TickflagError, match="remove it for a new token"):
        token_of(path)


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    """One line names the setting; so it does where the folder cannot be made."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "token"):
        with pytest.raises(TickflagError, match=r"set `dashboard\.token_file`"):
            token_of(path)


def test_two_that_start_at_once_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another process makes the file meanwhile, its token counts."""
    path = tmp_path / "token"
    link = os.link

    def late(source: Path, target: Path) -> None:
        path.touch(0o600)
        path.write_text("made-by-the-other-process\n")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert token_of(path) == "made-by-the-other-process"
    assert [one.name for one in tmp_path.iterdir()] == ["token"]
