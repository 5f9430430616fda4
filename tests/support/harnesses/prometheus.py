"""A real Prometheus, and its tool. Debian's package `prometheus` has both; tests are skipped where it is missing."""

import contextlib
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.support.processes.waiting import WITHIN_S, allowed_s, wait_until

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="prometheus is not installed: apt-get install prometheus"
)


def promtool(*arguments: str, given: bytes = b"") -> tuple[int, str]:
    """Exit code and all output of the tool."""
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *arguments],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=allowed_s(WITHIN_S),
        check=False,
    )
    return done.returncode, done.stdout.decode()


class Prometheus:
    """A server with a configuration and a folder of its own, at a free port. Use it in a `with` block."""

    def __init__(self, folder: Path, configuration: Path) -> None:
        """`folder` takes its data and its output."""
        assert PROMETHEUS is not None
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self._url = f"http://{address}"
        self._output = folder / "prometheus.out"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    PROMETHEUS,
                    f"--config.file={configuration}",
                    f"--storage.tsdb.path={folder / 'prometheus-data'}",
                    f"--web.listen-address={address}",
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_ready(self) -> None:
        """Wait until it answers. Fails with its output where it has ended."""

        def ready() -> bool:
            assert self._process.poll() is None, self._output.read_text()
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                return self._get("/-/ready") != b""
            return False

        wait_until(ready, what="Prometheus is ready")

    def ask(self, path: str, **arguments: str) -> Any:
        """The data of an answer of its API. Fails with the reason it gives."""
        query = urllib.parse.urlencode(arguments)
        try:
            answer = json.loads(self._get(f"/api/v1/{path}?{query}"))
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{arguments}: {error.read().decode()}") from None
        assert answer["status"] == "success", answer
        return answer["data"]

    def value(self, expression: str) -> dict[str, float]:
        """What an expression gives now: the labels -> the value."""
        found = self.ask("query", query=expression)["result"]
        return {json.dumps(one["metric"], sort_keys=True): float(one["value"][1]) for one in found}

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self._url}{path}", timeout=allowed_s(10)) as answer:
            content: bytes = answer.read()
            return content

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(allowed_s(10))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
