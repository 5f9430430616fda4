"""Bad conditions of a machine, for commands that run in a process of their own."""

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents.pages import ROOT
from tests.support.processes.commands import tickflag_command
from tests.support.processes.waiting import WITHIN_S, allowed_s
from tickflag.common.jit import cache_folder

NOBODY = """\
import pwd

def unknown(user):
    raise KeyError(f"getpwuid(): uid not found: {user}")

pwd.getpwuid = unknown
"""


@dataclass
class Condition:
    """How a command is run. `work` is where it writes; `base` has what it reads."""

    base: Path
    work: Path
    env: dict[str, str]
    wrap: tuple[str, ...] = ()
    limits: Mapping[int, int] = field(default_factory=dict)
    out: str = ""
    """A file for standard output; else it is read."""

    def run(self, arguments: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
        line = [part.format(base=self.base, work=self.work) for part in arguments]

        def limit() -> None:
            for what, most in self.limits.items():
                resource.setrlimit(what, (most, most))

        with contextlib.ExitStack() as stack:
            output: Any = stack.enter_context(open(self.out, "w")) if self.out else subprocess.PIPE
            return subprocess.run(
                [*self.wrap, *tickflag_command(*line)],
                cwd=self.base,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                preexec_fn=limit if self.limits else None,
                timeout=allowed_s(WITHIN_S),
                check=False,
            )


def fine(base: Path) -> Condition:
    """A machine on which all is well."""
    work = base / "work"
    work.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("TICKFLAG_")}
    env = {
        **kept,
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
        "TICKFLAG_CONFIG": str(base / "configs"),
        "TICKFLAG_RUNTIME__ROOT": str(base / "run"),
        "TICKFLAG_TRADER__PLUGINS": str(base / "plugins"),
        "TICKFLAG_COLLECTOR__METRICS_PORT": "0",
    }
    return Condition(base, work, env)


def without_a_name(one: Condition) -> None:
    """The user is in no passwd file."""
    (one.base / "site").mkdir(exist_ok=True)
    (one.base / "site" / "sitecustomize.py").write_text(NOBODY)
    one.env["PYTHONPATH"] = f"{one.base / 'site'}{os.pathsep}{one.env['PYTHONPATH']}"
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        one.env.pop(name, None)


def without_name_and_home(one: Condition) -> None:
    """As in a container that runs with any user id."""
    without_a_name(one)
    _instead_of_the_cache(one)
    one.env.pop("XDG_CACHE_HOME")
    one.env.pop("HOME", None)


def no_cache(one: Condition) -> None:
    """Nothing can be made in the cache folder."""
    _instead_of_the_cache(one)
    one.env["XDG_CACHE_HOME"] = str(_blocked(one))


def foreign_cache(one: Condition) -> None:
    """The cache folder is another user's, who could put machine code there."""
    if os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    _instead_of_the_cache(one)
    folder = one.base / "cache" / "tickflag"
    folder.mkdir(parents=True)
    os.chown(folder, 65_534, 65_534)
    one.env["XDG_CACHE_HOME"] = str(folder.parent)


def cache_not_writable(one: Condition) -> None:
    """The cache folder is there, and nothing can be written to it, not by root either."""
    if not Path("/sys/kernel").is_dir():
        pytest.skip("no /sys")
    _instead_of_the_cache(one)
    one.env["XDG_CACHE_HOME"] = "/sys/kernel"


def cache_of_all(one: Condition) -> None:
    """NUMBA_CACHE_DIR names a folder to which everybody may write."""
    folder = one.base / "named"
    folder.mkdir()
    folder.chmod(0o777)
    one.env["NUMBA_CACHE_DIR"] = str(folder)


def _instead_of_the_cache(one: Condition) -> None:
    """A temporary folder, with the kernels in the place that is used where there is no cache: compiling takes long."""
    one.env["TMPDIR"] = str(one.base)
    kernels = cache_folder()
    if kernels.is_dir():
        shutil.copytree(kernels, one.base / f"tickflag-cache-{os.getuid()}" / "tickflag" / kernels.name)
        for folder in (one.base / f"tickflag-cache-{os.getuid()}").glob("**"):
            folder.chmod(0o700)


def no_state(one: Condition) -> None:
    """Nothing can be made in the state folder."""
    one.env.pop("TICKFLAG_RUNTIME__ROOT")
    one.env["XDG_STATE_HOME"] = str(_blocked(one))
    one.env["TICKFLAG_INSTANCE"] = f"test-{os.getpid()}"


def no_runtime(one: Condition) -> None:
    """Nothing can be made in the runtime folder."""
    one.env["TICKFLAG_RUNTIME__ROOT"] = str(_blocked(one))


def _blocked(one: Condition) -> Path:
    """The path of a folder that cannot be made, not by root either."""
    (one.base / "file").touch()
    return one.base / "file" / "below"


def long_temporary_folder(one: Condition) -> None:
    """Its path is too long for sockets."""
    folder = one.base / ("x" * 120)
    folder.mkdir(exist_ok=True)
    one.env["TMPDIR"] = str(folder)


def latin_1(one: Condition) -> None:
    """A terminal that cannot write every name."""
    one.env.update(PYTHONIOENCODING="latin-1", PYTHONUTF8="0")


def c_locale(one: Condition) -> None:
    """The plain locale, with ASCII only."""
    one.env.update(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")


def bare_container(one: Condition) -> None:
    """A user id without a name and home, and the plain locale."""
    without_name_and_home(one)
    c_locale(one)


def closed_output(one: Condition) -> None:
    """Both streams are closed from the start."""
    one.wrap = ("sh", "-c", 'exec "$@" >&- 2>&-', "sh")


def full_output(one: Condition) -> None:
    """Standard output goes to a file on a full disk."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    one.out = "/dev/full"


def dead_output(one: Condition) -> None:
    """The reader of both streams has ended."""
    one.wrap = ("bash", "-c", 'exec > >(exec <&-; :) 2>&1; wait $!; exec "$@"', "bash")


def few_descriptors(one: Condition) -> None:
    """Hardly more than a Python needs."""
    one.limits = {resource.RLIMIT_NOFILE: 24}


def little_memory(one: Condition) -> None:
    """Too little for what compiles kernels."""
    one.limits = {resource.RLIMIT_AS: 200 << 20}


def clock_ahead(one: Condition) -> None:
    _faketime(one, "+3650d")


def clock_behind(one: Condition) -> None:
    _faketime(one, "-3650d")


def _faketime(one: Condition, offset: str) -> None:
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    one.wrap = ("faketime", "-f", offset)


@contextlib.contextmanager
def full_disk(one: Condition) -> Iterator[None]:
    """The folder to which commands write is on a full disk."""
    if os.getuid() != 0:
        pytest.skip("a mount needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", one.work], check=False)
    if done.returncode:
        pytest.skip("mount is not allowed here")
    try:
        with (one.work / "fill").open("wb", buffering=0) as fill, contextlib.suppress(OSError):
            while True:
                fill.write(bytes(4096))
        yield
    finally:
        subprocess.run(["umount", one.work], check=True)


CONDITIONS: tuple[Callable[[Condition], None], ...] = (
    without_a_name,
    without_name_and_home,
    no_cache,
    foreign_cache,
    cache_not_writable,
    cache_of_all,
    no_state,
    no_runtime,
    long_temporary_folder,
    latin_1,
    c_locale,
    bare_container,
    closed_output,
    full_output,
    dead_output,
    few_descriptors,
    little_memory,
    clock_ahead,
    clock_behind,
)
