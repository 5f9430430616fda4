"""The runtime folder of an instance: where its segment, sockets, locks and logs lie, and who owns what there."""

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

from common.errors import AlreadyRunning, TickflagError

MAX_SOCKET_PATH_BYTES = 103  # the least any supported system allows, macOS
POINTER = "current"
SEGMENT_SUFFIX = ".seg"
JOURNAL = "journal.sqlite"
_LONGEST_SOCKET = len("/collector-commands")
_LOOKS = 1_000  # at least 1 s, where a look takes microseconds


def default_root() -> Path:
    """`/dev/shm/tickflag-<uid>` on Linux, else below the system's temporary folder."""
    shared = Path("/dev/shm")
    base = shared if sys.platform == "linux" and shared.is_dir() else Path(tempfile.gettempdir())
    return base / f"tickflag-{os.getuid()}"


def state_root() -> Path | None:
    """`$XDG_STATE_HOME/tickflag`, else `~/.local/state/tickflag`; None for a user without a home folder.

    What lies there outlives a reboot.
    """
    for base in (os.environ.get("XDG_STATE_HOME", ""), os.path.expanduser("~/.local/state")):
        if os.path.isabs(base):  # others are to be ignored, says the specification of these folders
            return Path(base) / "tickflag"
    return None


class Runtime:
    """Names of everything in the folder. Creating one touches nothing; `prepare` makes the folder."""

    def __init__(self, root: Path, instance: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", instance) or instance.startswith("."):
            raise TickflagError(f"instance {instance!r}: use 1 to 32 letters, digits, '.', '_' or '-'")
        self.folder = root / instance
        if len(os.fsencode(self.folder)) + _LONGEST_SOCKET > MAX_SOCKET_PATH_BYTES:
            raise TickflagError(
                f"runtime folder {self.folder} is too long for socket paths ({MAX_SOCKET_PATH_BYTES} bytes): "
                "set `runtime.root` to a shorter one"
            )

    def prepare(self) -> None:
        """Make the folder, readable by its owner only. Raises where it is someone else's, or lies in such a one."""
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        # Whoever owns the folder above could put another in our folder's place; the superuser could anyway.
        for folder, owners in ((self.folder.parent, {0, os.getuid()}), (self.folder, {os.getuid()})):
            if folder.stat().st_uid not in owners:
                raise TickflagError(f"runtime folder {folder} belongs to another user: set `runtime.root`")
        if stat.S_IMODE(self.folder.stat().st_mode) != 0o700:
            self.folder.chmod(0o700)

    def socket(self, name: str) -> str:
        """ZeroMQ endpoint of the socket `name`."""
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
        """Every segment file, of whatever age."""
        return sorted(self.folder.glob(f"*{SEGMENT_SUFFIX}"))

    def read_pointer(self) -> str | None:
        """File name of the current segment, or None where there is none."""
        try:
            name = self.pointer.read_text().strip()
        except FileNotFoundError:
            return None
        return name or None

    def write_pointer(self, segment_name: str) -> None:
        """Replace the pointer as one step."""
        fresh = self.pointer.with_suffix(".new")
        fresh.write_text(segment_name + "\n")
        fresh.replace(self.pointer)


class Role:
    """The right to be the one `role` of an instance (an flock, held for life, gone with the process).

    The lock file is never removed: a lock on a removed file would be no lock. Children do not inherit it.
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
        """Process id of the role's holder, or None where nobody holds it."""
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


def _try_lock(descriptor: int) -> bool:
    """Take the exclusive lock, unless another process has it. One that only looks, in `holder`, is waited for."""
    for _ in range(_LOOKS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # granted beside a look, refused by a holder
        except BlockingIOError:
            return False
        time.sleep(0.001)
    return False
