"""Evidence: gathers into a bundle what an investigation of an engine begins with. Changes nothing.

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

from tickflag.common.client.journal_pages import newest
from tickflag.common.diagnosis.diagnosis import Diagnosis
from tickflag.common.diagnosis.resolved_settings import resolved_settings
from tickflag.common.diagnosis.segment_facts import segment_summary
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.segment.segment import Segment
from tickflag.common.settings import Settings, load
from tickflag.common.wire.requests import Ask, Client, Service, Unreachable
from tickflag.services.cli.config.show_config import as_toml
from tickflag.services.cli.doctor.bundle import Bundle, as_json
from tickflag.services.cli.doctor.checks import run_checks
from tickflag.services.cli.doctor.machine_checks import PACKAGES
from tickflag.services.cli.output import finite

SIGNALS = 1_000
LOG_BYTES = 256_000
FILES = 10_000  # the most files that are listed of a folder
# Packages that only parts of the engine need.
OPTIONAL_PACKAGES = (
    "llvmlite",
    "pydantic_core",
    "pyarrow",
    "watchfiles",
    "openfeature",
    "pandas",
    "polars",
    "talib",
    "starlette",
    "uvicorn",
    "websockets",
)


class Question(NamedTuple):
    """A file of the bundle, and the request whose answer it holds."""

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


def gather(bundle: Bundle) -> list[Diagnosis]:
    """Put all evidence into the bundle, and a reason for each missing file; gives the diagnoses."""
    diagnoses: list[Diagnosis] = []
    bundle.secrets += _secrets()

    def checked() -> str:
        diagnoses.extend(run_checks())
        return as_json([diagnosis._asdict() for diagnosis in diagnoses])

    bundle.try_add("doctor.json", checked)
    bundle.try_add("versions.json", lambda: as_json(versions()))
    bundle.try_add("settings.toml", lambda: "\n".join(as_toml(resolved_settings())) + "\n")
    try:
        settings = load()
        runtime = settings.runtime_folder()
    except TickflagError as error:
        bundle.absent["everything of the instance"] = str(error)
        return diagnoses
    bundle.try_add("files.txt", lambda: "\n".join(listing(settings, runtime)) + "\n")
    bundle.try_add("segment.json", lambda: as_json(_segment(runtime)))
    for service, questions in QUESTIONS.items():
        _answers(bundle, runtime, service, questions)
    for path in sorted(runtime.logs.glob("*.log")):
        bundle.try_add(f"logs/{path.name}", lambda path=path: _end(path))  # type: ignore[misc] # bound as a default
    return diagnoses


def _secrets() -> list[str]:
    """The dashboard's token, where there is one that can be read."""
    try:
        token = load().token_path().read_text(encoding="ascii", errors="replace").strip()
    except (TickflagError, OSError):
        return []
    return [token] if token else []


def versions() -> dict[str, Any]:
    """The versions of tickflag, Python, the libraries and the system."""
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
    """A line for each file of the runtime folder and of the state folder, and for the journal's files where they lie
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
    """Put the service's answers into the bundle. A service that leaves a question unanswered is not asked again."""
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
            bundle.try_add(f"{folder}/{question.file}", lambda asked=question: answer(client, asked))  # type: ignore[misc] # as above


def _segment(runtime: Runtime) -> dict[str, Any]:
    """The header of each segment file, and the counters of the current one."""
    from tickflag.services.cli.engine.segment import describe

    document: dict[str, Any] = {"files": [describe(runtime, path) for path in runtime.segments()]}
    try:
        with Segment.attach_current(runtime) as segment:
            return document | segment_summary(segment)
    except TickflagError as error:
        return document | {"error": str(error)}


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
        return file.read(LOG_BYTES)


def _line(path: Path) -> str:
    try:
        facts = path.lstat()
    except OSError as error:  # the file was removed meanwhile
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
