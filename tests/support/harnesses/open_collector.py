"""A real collector that is open to other machines."""

import os
import subprocess
from pathlib import Path
from typing import Any

from tests.support.harnesses.collector_process import CollectorProcess
from tests.support.harnesses.keyring import Keyring
from tests.support.processes.commands import run_command, tickflag_command
from tests.support.processes.waiting import WITHIN_S
from tickflag.common.runtime import Runtime
from tickflag.common.wire.requests import Client


class OpenCollector(CollectorProcess):
    """A collector that is open to other machines, and the keys of its operators."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self.keyring = Keyring(folder)
        self.keyring.allow("ann")
        self.folder = folder
        super().__init__(runtime)

    def start(self, **settings: str) -> subprocess.Popen[str]:
        return super().start(
            **{
                "TICKFLAG_REMOTE__COMMANDS": "tcp://127.0.0.1:*",
                "TICKFLAG_REMOTE__SIGNALS": "tcp://127.0.0.1:*",
                "TICKFLAG_REMOTE__SERVER_KEY": str(self.keyring.secret_file()),
                "TICKFLAG_REMOTE__ALLOWED": str(self.keyring.allowed),
                **settings,
            }
        )

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("status")["collector"]
        return found

    def state(self) -> Any:
        """All that a stranger could want to change."""
        status = self.status()
        return status["state_version"], status["last_seq"], self.ask("flags.list"), self.ask("traders")[0]["matches"]

    def client(self, name: str, server: str = "server", timeout_s: float = WITHIN_S) -> Client:
        remote = self.keyring.remote(self.status()["remote_commands"], name, server)
        return Client(self.runtime, "collector", timeout_s, remote)

    def operator(self, name: str) -> dict[str, str]:
        """The environment on the operator's machine: another runtime folder, and only keys and address."""
        home = self.folder / f"home-{name}"
        home.mkdir(exist_ok=True)
        ours = {key: value for key, value in os.environ.items() if not key.startswith("TICKFLAG_")}
        return ours | {
            "TICKFLAG_CONFIG": str(home),
            "TICKFLAG_RUNTIME__ROOT": str(self.runtime.folder.parent / name),  # short, as socket paths must be
            "TICKFLAG_REMOTE__CONNECT": self.status()["remote_commands"],
            "TICKFLAG_REMOTE__CONNECT_KEY": str(self.keyring.public_file()),
            "TICKFLAG_REMOTE__CLIENT_KEY": str(self.keyring.secret_file(name)),
        }

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_command(tickflag_command(*arguments), env=self.operator(name))
