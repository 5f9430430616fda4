"""Evidence: what an investigation of an engine begins with, gathered into a bundle. Changes nothing.

settings.toml doctor.json versions.json files.txt    this machine
collector/ supervisor/ feed/                         what the services answer
segment.json                                         header and counters, no data
logs/                                                the end of each trader's log
"""

import json
import os
import platform
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any, NamedTuple

import zmq

from common.errors import TickflagError
from common.follower import newest
from common.requests import Ask, Client, Service, Unreachable
from common.runtime import Runtime
from common.segment import Segment
from common.settings import Settings, load
from services.cli.bundle import Bundle, as_json
from services.cli.checks import PACKAGES, Finding, run_checks
from services.cli.output import finite
from services.cli.show_config import as_toml, resolved

SIGNALS = 1_000
LOG_BYTES = 256_000
FILES = 10_000  # listed of a folder
# Beside those that the engine always needs.
OPTIONAL_PACKAGES = ("llvmlite", "pydantic_core", "pyarrow", "watchfiles", "openfeature", "pandas", "polars", "talib")


class Question(NamedTuple):
    """A file, and the request whose answer it holds."""

    file: str
    ask: Callable[[Ask], str]


def _request(what: str, **arguments: Any) -> Question:
    return Question(f"{what}.json", lambda ask: as_json(ask(what, **arguments)))


QUESTIONS: dict[Service, tuple[Question, ...]] = {
    "collector": (
        _request("status"),
        _request("traders"),
        _request("flags.list"),
        _request("flags.history"),
        _request("circuits"),
        _request("errors"),
        _request("notices"),
        Question("signals.jsonl", lambda ask: _lines(newest(ask, SIGNALS, lambda signal: True))),
    ),
    "trader": (_request("supervisor"), _request("traders")),
    "feed": (_request("status"),),
}
FOLDERS: dict[Service, str] = {"collector": "collector", "trader": "supervisor", "feed": "feed"}


def gather(bundle: Bundle) -> list[Finding]:
    """Put all of it into the bundle, and of what is away the reason; gives what the checks found."""
    findings: list[Finding] = []

    def checked() -> str:
        findings.extend(run_checks())
        return as_json([finding._asdict() for finding in findings])

    bundle.put("doctor.json", checked)
    bundle.put("versions.json", lambda: as_json(versions()))
    bundle.put("settings.toml", lambda: "\n".join(as_toml(resolved())) + "\n")
    try:
        settings = load()
        runtime = settings.runtime_folder()
    except TickflagError as error:
        bundle.absent["everything of the instance"] = str(error)
        return findings
    bundle.put("files.txt", lambda: "\n".join(listing(settings, runtime)) + "\n")
    bundle.put("segment.json", lambda: as_json(_segment(runtime)))
    for service, questions in QUESTIONS.items():
        _answers(bundle, runtime, service, questions)
    for path in sorted(runtime.logs.glob("*.log")):
        bundle.put(f"logs/{path.name}", lambda path=path: _end(path))  # type: ignore[misc] # bound as a default
    return findings


def versions() -> dict[str, Any]:
    """Of tickflag, Python, the libraries and the system."""
    distributions = packages_distributions()
    found = {name: distributions.get(name, [name])[0] for name in (*PACKAGES, *OPTIONAL_PACKAGES)}
    return {
        "tickflag": _version("tickflag"),
        "python": sys.version,
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "processors": os.cpu_count(),
        "libzmq": zmq.zmq_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: _version(name) for name in sorted(found.values())},
    }


def listing(settings: Settings, runtime: Runtime) -> Iterator[str]:
    """A line for each file of the runtime folder and of the state folder, and for the journal's where it lies
    elsewhere: mode, bytes, UTC time of the last change, path."""
    state, journal = settings.state_folder(), settings.journal_path()
    for folder in dict.fromkeys((runtime.folder, state)):
        if folder.is_dir():
            yield from map(_line, sorted(folder.rglob("*"))[:FILES])
        else:
            yield f"there is no {folder}"
    if journal.parent not in (runtime.folder, state):
        yield from map(_line, sorted(journal.parent.glob(f"{journal.stem}*")))


def _answers(bundle: Bundle, runtime: Runtime, service: Service, questions: tuple[Question, ...]) -> None:
    """Until the service does not answer: then it is not asked again."""
    folder = FOLDERS[service]
    silent: list[Unreachable] = []

    def answer(client: Client, question: Question) -> str:
        if silent:
            raise silent[0]
        try:
            return question.ask(client.ask)
        except Unreachable as error:
            silent.append(error)
            raise

    with Client(runtime, service) as client:
        for question in questions:
            bundle.put(f"{folder}/{question.file}", lambda asked=question: answer(client, asked))  # type: ignore[misc] # as above


def _segment(runtime: Runtime) -> dict[str, Any]:
    """What the header of each file says, and the counters of the current one."""
    from services.cli.dump import figures
    from services.cli.segment import describe

    document: dict[str, Any] = {"files": [describe(runtime, path) for path in runtime.segments()]}
    try:
        with Segment.attach_current(runtime) as segment:
            return document | figures(segment)
    except TickflagError as error:
        return document | {"error": str(error)}


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
        return file.read(LOG_BYTES)


def _line(path: Path) -> str:
    try:
        facts = path.lstat()
    except OSError as error:  # it has just gone
        return f"{error.strerror}  {path}"
    changed = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(facts.st_mtime))
    return f"{stat.filemode(facts.st_mode)}  {facts.st_size:>14,}  {changed}  {path}"


def _lines(documents: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(finite(document), ensure_ascii=False) + "\n" for document in documents)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
