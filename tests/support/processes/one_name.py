"""One name: whether a process loaded a file of ours under two names, or under another than `tickflag`."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.documents.pages import ROOT

PROBE = Path(__file__).resolve().parents[1] / "module_names"
"""A folder for the path of a process that is to write down its modules; see the file in it."""


def loaded() -> dict[str, str]:
    """Name and real path of each module of this process."""
    paths = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {name: os.path.realpath(path) for name, path in paths.items() if isinstance(path, str)}


def path_as_installed() -> list[str]:
    """`sys.path` without this repository, in which Python would find folders as packages of other names."""
    return [folder for folder in sys.path if Path(folder or ".").resolve() != ROOT]


def told(folder: Path) -> list[dict[str, Any]]:
    """What each process has written of its modules so far, in `command` and `files`. The files are then deleted."""
    found = []
    for file in sorted(folder.glob("*.json")):
        found.append(json.loads(file.read_text()))
        file.unlink()
    return found


OURS = {ROOT / "tickflag": "tickflag", ROOT / "common": "tickflag", ROOT / "services": "tickflag",
        ROOT / "tests" / "support": "tests"}  # fmt: skip
"""Folders of this repository -> the package from which their files are imported."""

_LEFT_OUT = ("__mp_main__", "sitecustomize")


def wrong_names(files: Mapping[str, str], folders: Mapping[Path, str] = OURS) -> dict[str, list[str]]:
    """File -> its names, for each file in `folders` with several names or with one outside the folder's package.

    Two cases are left out: the second name by which `multiprocessing` knows the main module, and traders, which are
    loaded by their paths.
    """
    found: dict[str, list[str]] = {}
    for folder, package in folders.items():
        names: dict[str, list[str]] = {}
        for name, path in files.items():
            ours = path.startswith(f"{folder.resolve()}{os.sep}")
            if ours and name not in _LEFT_OUT and not name.startswith("tickflag_plugin_"):
                names.setdefault(path, []).append(name)
        found |= {
            path: them
            for path, them in names.items()
            if len(them) > 1 or them[0].split(".")[0] not in (package, "__main__")
        }
    return found
