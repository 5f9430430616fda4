"""Keyring: key files of an engine and its operators, as `tickflag keys` leaves them."""

from pathlib import Path

from tickflag.common.wire import keys
from tickflag.common.wire.keys import KeyPair
from tickflag.common.wire.requests import RemoteEngine


class Keyring:
    """In `folder`: the engine's key `server`, the folder `allowed`, and the key of each operator that was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.allowed = folder, folder / "allowed"
        self.allowed.mkdir(mode=0o700)
        self._pairs: dict[str, KeyPair] = {}

    def pair(self, name: str = "server") -> KeyPair:
        """The key pair of this name, made at the first call."""
        if name not in self._pairs:
            secret = keys.create(self.folder, name)[1]
            self._pairs[name] = keys.load_pair(secret, "test", "")
        return self._pairs[name]

    def secret_file(self, name: str = "server") -> Path:
        self.pair(name)
        return self.folder / f"{name}{keys.SECRET}"

    def public_file(self, name: str = "server") -> Path:
        self.pair(name)
        return self.folder / f"{name}{keys.PUBLIC}"

    def allow(self, name: str) -> None:
        keys.write_public(self.allowed / f"{name}{keys.PUBLIC}", self.pair(name).public)

    def revoke(self, name: str) -> None:
        (self.allowed / f"{name}{keys.PUBLIC}").unlink()

    def remote(self, endpoint: str, name: str, server: str = "server") -> RemoteEngine:
        """The operator `name` connecting to `endpoint`, where it expects the key `server`."""
        return RemoteEngine(endpoint, self.pair(server).public, self.pair(name))
