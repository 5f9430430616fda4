"""The dashboard's token: a line in a file that only its owner can read. Made once, and kept."""

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path

from tickflag.common.errors import TickflagError

_FORM = re.compile(r"[A-Za-z0-9._~-]{20,256}")  # fits a cookie, a header and a link as it is
_BYTES = 32
_LIMIT = 4_096


def token_of(path: Path) -> str:
    """The token of the file, which is made where there is none.

    Raises TickflagError where the file cannot be used, or others can read it.
    """
    try:
        if not path.exists():
            _make(path)
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            text = file.read(_LIMIT).decode("ascii", "replace").strip()
    except OSError as error:
        raise TickflagError(f"token file {path}: {error.strerror}: set `dashboard.token_file`") from None
    if facts.st_uid not in (0, os.getuid()) or stat.S_IMODE(facts.st_mode) & 0o077:
        raise TickflagError(f"token file {path}: others may read it: `chmod 600 {path}`, or remove it for a new token")
    if not _FORM.fullmatch(text):
        raise TickflagError(
            f"token file {path}: must hold one line of 20 to 256 letters, digits, '.', '_', '~' or '-': remove it for "
            "a new token"
        )
    return text


def _make(path: Path) -> None:
    """Make the file in one step: another process finds all of it, or nothing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_urlsafe(_BYTES)}\n")
        with contextlib.suppress(FileExistsError):  # another process made one just now: that one counts
            os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
