"""Installation: the wheel in a virtual environment of its own, which sees nothing of this repository.

The packages that the wheel depends on come from the environment of the tests, one by one. The machine code that the
tests have compiled serves the installed files too, because they are the same files.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from sysconfig import get_path

from tests.support.documents.pages import ROOT
from tests.support.processes.one_name import PROBE
from tickflag.common.jit import cache_folder

_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "tickflag", "common", "services")
_BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


@dataclass(frozen=True)
class Installation:
    folder: Path
    env: Mapping[str, str]
    """For the environment's processes: they find its commands first, and write down the modules that they load."""

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"

    @property
    def packages(self) -> Path:
        return _packages(self.folder)

    def run(self, folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment to its end in `folder`."""
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=folder, env={**self.env, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200,
        )  # fmt: skip


def build_wheels(folder: Path) -> tuple[Path, Path]:
    """The wheel built from the sources, and the wheel built from the sdist."""
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in _SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, checkout / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, checkout / name)
    sdist = _built("build_sdist", checkout, folder / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return _built("build_wheel", checkout, folder / "wheel"), _built("build_wheel", unpacked, folder / "again")


def install(wheel: Path, folder: Path) -> Installation:
    """Make the environment, and install nothing but the wheel."""
    venv.create(folder / "venv", symlinks=True)
    python, packages = folder / "venv" / "bin" / "python", _packages(folder / "venv")
    dependencies = folder / "dependencies"
    dependencies.mkdir()
    for site in {Path(get_path("purelib")), Path(get_path("platlib"))}:
        for path in site.iterdir():
            if not path.name.startswith(("tickflag", "__editable__")) and path.suffix != ".pth":
                (dependencies / path.name).symlink_to(path)
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python)] if find_spec("pip") else ["uv", "pip"]
    options = ["--no-deps", "--no-index"] + ([] if find_spec("pip") else ["--python", str(python)])
    _checked([*pip, "install", "--quiet", *options, str(wheel)], folder)
    cache, told = folder / "cache", folder / "told"
    told.mkdir()
    _lend_kernels(packages / "tickflag", cache)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TICKFLAG_", "PYTEST_", "COV_"))}
    own = {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROBE),
        "MODULE_NAMES": str(told),
        "XDG_CACHE_HOME": str(cache),
    }
    return Installation(folder / "venv", {**kept, **own})


def _lend_kernels(package: Path, cache: Path) -> None:
    """Put the machine code of our files where numba looks for that of the installed ones. numba names the folders of
    its cache after the path, and accepts the code for a file of the same size and time."""
    theirs = cache / "tickflag" / cache_folder().name
    for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
        ours = ROOT / "tickflag" / folder.relative_to(package)
        kernels = cache_folder() / _cache_name(ours)
        if kernels.is_dir():
            shutil.copytree(kernels, theirs / _cache_name(folder), ignore=shutil.ignore_patterns("*.tmp.*"))
            for file in folder.glob("*.py"):
                shutil.copystat(ours / file.name, file)


def _cache_name(folder: Path) -> str:
    return f"{folder.name}_{hashlib.sha1(str(folder).encode()).hexdigest()}"


def _packages(environment: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return environment / "lib" / version / "site-packages"


def _built(what: str, sources: Path, folder: Path) -> Path:
    folder.mkdir()
    return folder / _checked([sys.executable, "-P", "-c", _BUILD, what, str(folder)], sources).splitlines()[-1]


def _checked(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
