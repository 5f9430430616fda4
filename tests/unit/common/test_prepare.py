"""prepare: a runtime folder that cannot be made."""

from pathlib import Path

import pytest

from tickflag.common.errors import TickflagError
from tickflag.common.lifecycle import prepare
from tickflag.common.runtime import Runtime


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The message names the folder, the reason and the setting for another one."""
    (tmp_path / "file").touch()
    runtime = Runtime(tmp_path / "file" / "root", "main")
    with pytest.raises(TickflagError, match=r"^runtime folder .*Not a directory: set `runtime.root`$"):
        prepare(runtime)
