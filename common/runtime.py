"""The runtime folder of an instance: the paths of its segment, sockets, locks and logs, and who holds a role."""

import contextlib
import fcntl
import os
import re
import stat
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tickflag.common.errors import AlreadyRunning, TickflagError

MAX_SOCKET_PATH_BYTES = 103  # macOS; every other supported system allows more
POINTER = "current"
SEGMENT_SUFFIX = ".seg"
JOURNAL = "journal.sqlite"
_LONGEST_SOCKET = len("/collector-commands")
_LOCK_TRIES = 1_000  # 1 ms apart: a process that looks for a holder keeps the lock for microseconds only


def default_root() -> Path:
    """`/dev/shm/tickflag-<uid>` on Linux, else below the system's temporary folder."""
    shared = Path("/dev/shm")
    base = shared if sys.platform == "linux" and shared.is_dir() else Path(tempfile.gettempdir())
    return base / f"tickflag-{os.getuid()}"


def state_root() -> Path | None:
    """`$XDG_STATE_HOME/tickflag`, else `~/.local/state/tickflag`; None for a user without a home folder.

    Files there outlive a reboot.
    """
    for base in (os.environ.get("XDG_STATE_HOME", ""), os.path.expanduser("~/.local/state")):
        if os.path.isabs(base):  # the XDG specification says to ignore relative paths
            return Path(base) / "tickflag"
    return None


class Runtime:
    """Names the files in the folder. Creating a Runtime touches nothing; `prepare` makes the folder."""

    def __init__(self, root: Path, instance: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", instance) or instance.startswith("."):
            raise TickflagError(f"instance {instance!r}: use 1 to 32 letters, digits, '.', '_' or '-'")
        self.folder = root / instance

    def check_sockets(self) -> None:
        """Raises TickflagError where the path is too long for sockets; a runtime folder without sockets may be."""
        if len(os.fsencode(self.folder)) + _LONGEST_SOCKET > MAX_SOCKET_PATH_BYTES:
            raise TickflagError(
                f"runtime folder {self.folder} is too long for socket paths ({MAX_SOCKET_PATH_BYTES} bytes): "
                "set `runtime.root` to a shorter one"
            )

    def temporary_folder(self, name: str) -> str:
        """The temporary folder, where a socket's path may hold the folder and `name`; else one with a shorter path."""
        folders = [tempfile.gettempdir(), str(self.folder)]
        fits = (one for one in folders if len(os.fsencode(f"{one}{name}")) <= MAX_SOCKET_PATH_BYTES)
        return next(fits, "/tmp")

    def prepare(self) -> None:
        """Make the folder, readable by its owner only. Raises TickflagError as `check` does."""
        self.check()
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.check()  # another user may have made one of them just now
        if stat.S_IMODE(self.folder.stat().st_mode) != 0o700:
            self.folder.chmod(0o700)

    def check(self) -> None:
        """Raise TickflagError where another user could have put something into the folder, or it itself there.

        The owner of the parent could replace our folder by another one; the superuser, who may own it, could do so
        anyway. A folder that is not there yet is fine. Others who may write to the parent can only remove our folder.
        """
        root, ours = self.folder.parent, {os.getuid()}
        for path, owners in ((root, ours | {0}), (self.folder, ours)):
            facts = _facts(path)
            if facts is not None and stat.S_ISLNK(facts.st_mode) and path == root:  # whose link, and whose folder
                _check_owner(path, facts, owners)
                facts = _facts(path.resolve())
            if facts is None:
                return
            _check_owner(path, facts, owners)
            if not stat.S_ISDIR(facts.st_mode):
                raise TickflagError(f"runtime folder {path} is no folder, but a link or file: set `runtime.root`")
            if path == self.folder and facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise TickflagError(
                    f"runtime folder {path}: others can write to it: look whether all that is in it is yours, then "
                    f"`chmod 700 {path}`, or set `runtime.root`"
                )

    def socket(self, name: str) -> str:
        """The ZeroMQ endpoint of the socket `name`."""
        return f"ipc://{self.folder / name}"

    def lock_path(self, role: str) -> Path:
        return self.folder / f"{role}.lock"

    @property
    def pointer(self) -> Path:
        """The file that names the current segment."""
        return self.folder / POINTER

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def segments(self) -> list[Path]:
        """All segment files, old ones too."""
        return sorted(self.folder.glob(f"*{SEGMENT_SUFFIX}"))

    def read_pointer(self) -> str | None:
        """The file name of the current segment; None where there is none."""
        try:
            name = self.pointer.read_text().strip()
        except FileNotFoundError:
            return None
        return name or None

    def write_pointer(self, segment_name: str) -> None:
        """Replace the pointer in one step."""
        fresh = self.pointer.with_suffix(".new")
        fresh.write_text(segment_name + "\n")
        fresh.replace(self.pointer)


class Role:
    """The right to be the one `role` of an instance: a lock on a file, held until `release` or the end of the process.

    The lock file is never removed: else two processes could hold locks on two files of one name. Child processes do not
    inherit the lock. Raises AlreadyRunning where another process holds the role.
    """

    def __init__(self, runtime: Runtime, role: str) -> None:
        self.path = runtime.lock_path(role)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _try_lock(self._descriptor):
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AlreadyRunning(
                f"a {role} is already running for this instance (pid {holder}, lock {self.path}): "
                "stop it, or set another `instance`"
            )
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    @staticmethod
    def holder(runtime: Runtime, role: str) -> int | None:
        """The process id of the role's holder, 0 where it is unknown; None where nobody holds the role."""
        try:
            descriptor = os.open(runtime.lock_path(role), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(descriptor, 32).decode(errors="replace").strip()
            return int(text) if text.isdigit() else 0
        else:
            return None
        finally:
            os.close(descriptor)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class ServedAddress:
    """The file by which a service tells where it is reached: its process id and the address, in one line.

    The service writes and removes it; anybody of this user reads it.
    """

    def __init__(self, runtime: Runtime, service: str) -> None:
        self.path = runtime.folder / f"{service}-address"
        self._runtime, self._service = runtime, service

    def write(self, url: str) -> None:
        """Tell the address; an empty one says that the service runs and is not reached anywhere."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{os.getpid()} {url}\n")
        fresh.replace(self.path)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def read(self) -> str | None:
        """The address of the running service, empty where it is not reached anywhere; None where the service does not
        run, or has not told it yet."""
        try:
            pid, _, url = self.path.read_text(errors="replace").strip().partition(" ")
        except OSError:
            return None
        return url if pid == str(Role.holder(self._runtime, self._service)) else None


def _facts(path: Path) -> os.stat_result | None:
    """What the system tells of the path itself, also where it is a link; None where nothing is there."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise TickflagError(f"runtime folder {path}: {error.strerror}: set `runtime.root`") from None


def _check_owner(path: Path, facts: os.stat_result, owners: set[int]) -> None:
    if facts.st_uid not in owners:
        raise TickflagError(f"runtime folder {path} belongs to another user: set `runtime.root`")


def _try_lock(descriptor: int) -> bool:
    """Take the exclusive lock; False where another process holds it. Wait for a process that is in `holder`."""
    for _ in range(_LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # granted where the other process is in `holder`
        except BlockingIOError:
            return False
        time.sleep(0.001)
    return False
