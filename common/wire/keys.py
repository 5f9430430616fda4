"""CURVE keys, by which an engine and its operators on other machines know one another.

The files are in pyzmq's format: `NAME.key` holds a public key, `NAME.key_secret` both. Keys are Z85 texts, as bytes.
"""

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import zmq
import zmq.auth
from zmq.utils import z85

from tickflag.common.errors import TickflagError

PUBLIC, SECRET = ".key", ".key_secret"
"""How the files' names end."""
LONGEST_FILE_BYTES = 10_000


class KeyPair(NamedTuple):
    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair({self.public!r})"  # the secret must not get into a log


def create(folder: Path, name: str) -> tuple[Path, Path]:
    """Makes a new pair and gives its files, the public one first, both readable by their owner only.

    The folder must exist. Raises TickflagError where the folder holds a file of this name.
    """
    _check_curve()
    public, secret = folder / f"{name}{PUBLIC}", folder / f"{name}{SECRET}"
    for path in (public, secret):
        if path.exists():
            raise TickflagError(f"there is a key file {path} already: move it away to make another one")
    with owner_only():
        zmq.auth.create_certificates(folder, name)
    return public, secret


def write_public(path: Path, key: bytes) -> None:
    """Write the file of a public key, whole or not at all."""
    fresh = path.with_name(f".{path.name}")
    with owner_only():
        fresh.write_bytes(b'curve\n    public-key = "%s"\n' % key)
    fresh.replace(path)


def load_pair(path: Path, setting: str, remedy: str) -> KeyPair:
    """The pair of a secret file. For errors, `setting` names the setting that led to it and `remedy` says what to do.

    Raises TickflagError where the file is missing or damaged, holds no secret key, or can be read by others.
    """
    _check_curve()
    _, secret, mode = _read(path, setting, remedy)
    if mode & 0o077:
        raise TickflagError(
            f"setting `{setting}`: others can read the secret key {path} (mode {mode:o}): `chmod 600 {path}`, "
            "or make another key where somebody may have read it"
        )
    if secret is None:
        raise TickflagError(f"setting `{setting}`: {path} holds no secret key: name the file that ends in `{SECRET}`")
    try:
        return KeyPair(zmq.curve_public(secret), secret)
    except (ValueError, zmq.ZMQError):
        raise TickflagError(f"setting `{setting}`: the key in {path} is damaged: {remedy}") from None


def load_public(path: Path, setting: str = "", remedy: str = "") -> bytes:
    """The public key of a file. Raises TickflagError, also for a secret file, which should not be handed on."""
    public, secret, _ = _read(path, setting, remedy)
    if secret is not None:
        raise TickflagError(f"{path} holds a secret key, which stays where it was made: use the file `NAME{PUBLIC}`")
    return public


def _read(path: Path, setting: str, remedy: str) -> tuple[bytes, bytes | None, int]:
    """Public key, secret key or None, and the file's mode."""
    origin = f"setting `{setting}`: " if setting else ""
    ending = f": {remedy}" if remedy else ""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > LONGEST_FILE_BYTES:
            raise TickflagError(f"{origin}{path} is no key file{ending}")
        public, secret = zmq.auth.load_certificate(path)
        if len(public) != 40:
            raise ValueError
        z85.decode(public)
    except FileNotFoundError:
        raise TickflagError(f"{origin}there is no key file {path}{ending}") from None
    except OSError as error:
        raise TickflagError(f"{origin}{path}: {error.strerror}") from error  # the cause tells what may pass by itself
    except (ValueError, KeyError, struct.error):
        raise TickflagError(f"{origin}{path} holds no public key{ending}") from None
    return public, secret, stat.S_IMODE(found.st_mode)


def _check_curve() -> None:
    if not zmq.has("curve"):
        raise TickflagError("this ZeroMQ was built without CURVE: install the wheel of pyzmq, which has it")


@contextmanager
def owner_only() -> Iterator[None]:
    """A block in which new files and folders are readable by their owner only. Holds for the whole process."""
    former = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(former)
