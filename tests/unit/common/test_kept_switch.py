"""KeptSwitch: it stays as it was set, over restarts."""

from pathlib import Path

import pytest

from tickflag.common.kept_switch import KeptSwitch


@pytest.mark.parametrize("default", [True, False])
def test_a_switch_outlasts_a_restart(tmp_path: Path, default: bool) -> None:
    """A new one is as the last one was left; the folder is made where it is missing."""
    path = tmp_path / "state" / "it"
    switch = KeptSwitch(path, default)
    assert switch.on is default
    for on in (not default, not default, default, default):
        assert switch.set(on) == ""
        assert switch.on is on
        assert KeptSwitch(path, default).on is on


def test_a_switch_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    """It holds until the end of the process."""
    (tmp_path / "file").touch()
    switch = KeptSwitch(tmp_path / "file" / "it", default=False)
    assert "file" in switch.set(True)
    assert switch.on
    assert not KeptSwitch(tmp_path / "file" / "it", default=False).on
