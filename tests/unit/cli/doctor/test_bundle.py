"""`doctor --bundle`: what an investigation needs, in one file, whatever does not run."""

import errno
import json
import os
import re
import stat
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Answers, Run
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.segment import layout
from tickflag.common.segment.segment import Segment
from tickflag.common.segment.symbols import SymbolDirectory, SymbolTable
from tickflag.common.wire.requests import Client, Unreachable
from tickflag.services.cli.doctor import bundle as bundle_module
from tickflag.services.cli.doctor import checks, evidence
from tickflag.services.cli.doctor.bundle import Bundle

ALWAYS = {"doctor.json", "versions.json", "settings.toml", "files.txt", "segment.json"}


def contents(path: Path) -> dict[str, str]:
    """Name -> text of each file in the one folder of the bundle, which has the bundle's name."""
    with tarfile.open(path) as archive:
        found = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            folder, _, name = member.name.partition("/")
            assert folder == path.name.removesuffix(".tar.gz")
            found[name] = file.read().decode()
        return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "found.tar.gz"


def test_without_an_engine(runtime: Runtime, run: Run, path: Path) -> None:
    """The bundle has everything that no service is asked for, and the reason why the rest is absent. The last line says
    what it is."""
    result = run("doctor", "--bundle", str(path))
    assert (result.exit_code, result.stderr) == (0, "")
    found = contents(path)
    absent = found.pop("absent.txt").splitlines()
    assert found.keys() == ALWAYS
    assert {line.partition(": ")[0] for line in absent} == {
        f"{evidence.FOLDERS[service]}/{question.file}"
        for service, questions in evidence.QUESTIONS.items()
        for question in questions
    }
    assert all(re.search("no (feed|collector|trader) is running for instance 'test'", line) for line in absent)
    assert {diagnosis["check"] for diagnosis in json.loads(found["doctor.json"])} >= {"python", "folder", "processes"}
    assert json.loads(found["versions.json"])["packages"]["pyzmq"]
    assert tomllib.loads(found["settings.toml"])["instance"] == "test"
    line = result.stdout.splitlines()[-1]
    assert line.startswith(f"{path} (")
    assert f"{len(ALWAYS) + 1} files in all, and why {len(absent)} more are absent" in line
    assert "trader names, settings and signals" in line
    assert result.stdout.splitlines()[0].startswith("ok   python")


def test_nobody_else_may_read_it(runtime: Runtime, run: Run, path: Path) -> None:
    """The mode is 600 for the bundle and all in it, whatever the user's umask."""
    former = os.umask(0)
    try:
        run("doctor", "--bundle", str(path))
    finally:
        os.umask(former)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        assert {member.mode for member in archive} == {0o600}


def test_its_name_tells_instance_and_time(
    runtime: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle without a given path is written to the current folder. JSON has its name, its files and what is
    absent."""
    monkeypatch.chdir(tmp_path)
    report = json.loads(run("doctor", "--bundle", "--json").stdout)
    written = report["bundle"]
    assert re.fullmatch(r"tickflag-test-\d{8}T\d{6}Z\.tar\.gz", written["file"])
    assert set(written["files"]) == contents(Path(written["file"])).keys()
    assert Path(written["file"]).stat().st_size == written["bytes"]
    assert "no feed is running" in written["absent"]["feed/status.json"]
    assert (report["ok"], len(report["checks"]) > 5) == (True, True)


def test_settings_that_do_not_load(runtime: Runtime, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle holds the diagnoses, which name the faults, and nothing of the instance. It was written, so the exit
    code is 0."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TICKFLAG_SEGMENT__CAPACITY", "none")
    monkeypatch.setenv("TICKFLAG_SEGMENT__DEPTH", "none")
    result = run("doctor", "--bundle")
    assert result.exit_code == 0
    (written,) = tmp_path.glob("tickflag-unknown-*.tar.gz")
    found = contents(written)
    assert found.keys() == {"doctor.json", "versions.json", "absent.txt"}
    lines = found["absent.txt"].splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["settings.toml", "everything of the instance"]
    assert all("segment.capacity" in line and "segment.depth" in line for line in lines)


@pytest.mark.parametrize("name", ["found.tar.gz", "."])
def test_an_existing_file_stays_as_it_is(runtime: Runtime, run: Run, tmp_path: Path, path: Path, name: str) -> None:
    """One line says so, and nothing was collected."""
    path.write_text("of value")
    result = run("doctor", "--bundle", str(tmp_path / name))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"tickflag: {tmp_path / name} exists: name another file\n"
    assert path.read_text() == "of value"


def test_a_place_that_cannot_be_written(runtime: Runtime, run: Run, tmp_path: Path) -> None:
    """The error is one line."""
    result = run("doctor", "--bundle", str(tmp_path / "nowhere" / "x.tar.gz"))
    assert result.stderr == (f"tickflag: {tmp_path}/nowhere/x.tar.gz: No such file or directory: name another file\n")


def test_a_full_disk(runtime: Runtime, run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is one line, and no part of a bundle is left."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    result = run("doctor", "--bundle", str(path))
    assert (result.exit_code, result.stderr) == (1, f"tickflag: {path}: No space left on device\n")
    assert not path.exists()


def test_an_interrupt_leaves_nothing(runtime: Runtime, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle leaves nothing."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evidence, "versions", interrupted)
    with pytest.raises(KeyboardInterrupt), bundle_module.create(path) as bundle:
        evidence.gather(bundle)
    assert not path.exists()


def test_a_fault_of_a_part_is_noted(runtime: Runtime, run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the checks themselves is noted too; the rest is there."""

    def broken() -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(evidence, "run_checks", broken)
    monkeypatch.setattr(evidence, "versions", broken)
    assert run("doctor", "--bundle", str(path)).exit_code == 0
    found = contents(path)
    assert "settings.toml" in found
    for name in ("doctor.json", "versions.json"):
        assert name not in found
        assert f"{name}: ZeroDivisionError: by nothing\n" in found["absent.txt"]


def test_what_the_services_answer(
    runtime: Runtime, run: Run, path: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer is a file. If a service does not know a request, its words are noted, and the next request is
    sent."""

    def signals(since: int, limit: int) -> dict[str, Any]:
        return {"signals": [{"seq": seq, "score": float("nan")} for seq in range(since + 1, since + limit + 1)]}

    def refuse() -> None:
        raise TickflagError("no command 'errors': use one of status")

    monkeypatch.setattr(checks, "run_checks", list)
    answers |= {
        "status": {"collector": {"last_seq": 1_500, "first_seq": 3}},
        "traders": [{"name": "rsi"}],
        "flags.list": {"revision": 1},
        "flags.history": [],
        "circuits": {"rsi": "closed"},
        "errors": refuse,
        "notices": [],
        "signals": signals,
        "supervisor": {"safe": False},
    }
    run("doctor", "--bundle", str(path))
    found = contents(path)
    asked = {name for name in found if "/" in name}
    assert asked == {
        "collector/status.json", "collector/traders.json", "collector/flags.list.json", "collector/flags.history.json",
        "collector/circuits.json", "collector/notices.json", "collector/signals.jsonl", "supervisor/supervisor.json",
        "supervisor/traders.json", "feed/status.json",
    }  # fmt: skip
    assert json.loads(found["collector/circuits.json"]) == {"rsi": "closed"}
    assert found["absent.txt"] == "collector/errors.json: no command 'errors': use one of status\n"
    seen = [json.loads(line) for line in found["collector/signals.jsonl"].splitlines()]
    assert [signal["seq"] for signal in seen] == list(range(501, 1_501))
    assert seen[0]["score"] is None


def test_a_silent_service_is_asked_once(
    runtime: Runtime, run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each further request would be another wait of some seconds."""
    asked: list[str] = []

    def ask(client: Client, what: str, **_: Any) -> Any:
        asked.append(f"{client._service} {what}")
        raise Unreachable("it did not answer within 5 s")

    monkeypatch.setattr(Client, "ask", ask)
    run("doctor", "--bundle", str(path))
    assert asked == ["collector status", "trader supervisor", "feed status"]
    assert contents(path)["absent.txt"].count("it did not answer within 5 s\n") == 11


def test_the_end_of_each_log(runtime: Runtime, run: Run, path: Path) -> None:
    """The bundle has the last 256 kB of a log, or a shorter one whole."""
    runtime.logs.mkdir()
    (runtime.logs / "long.log").write_text("a" * 10 + "b" * 256_000)
    (runtime.logs / "short.log").write_text("c")
    run("doctor", "--bundle", str(path))
    found = contents(path)
    assert (found["logs/long.log"], found["logs/short.log"]) == ("b" * 256_000, "c")


@pytest.fixture
def segment(runtime: Runtime) -> Iterator[Segment]:
    with Segment.create(runtime, layout.plan(40, 2, (60,))) as segment:
        segment.publish(runtime)
        yield segment


def test_the_segment_without_its_data(runtime: Runtime, run: Run, path: Path, segment: Segment) -> None:
    """It has header and counters, and no symbol's name."""
    SymbolTable(segment).slot("NOTFORALL")
    segment.arrays.living[layout.COUNTER["updates"]] = 12_345
    directory = SymbolDirectory(segment)
    directory.refresh()
    assert directory.find("NOTFORALL") == 0
    run("doctor", "--bundle", str(path))
    found = contents(path)
    document = json.loads(found["segment.json"])
    assert document["counters"]["updates"] == 12_345
    assert (document["header"]["capacity"], document["symbol_count"]) == (40, 1)
    assert [(file["file"], file["state"]) for file in document["files"]] == [(segment.path.name, "ready")]
    assert "NOTFORALL" not in "".join(found.values())


def test_a_damaged_segment(runtime: Runtime, run: Run, path: Path, segment: Segment) -> None:
    """The bundle describes the file, and says why it cannot be used."""
    segment.path.write_bytes(b"x" * 10_000)
    run("doctor", "--bundle", str(path))
    document = json.loads(contents(path)["segment.json"])
    assert document["files"][0]["state"] != "ready"
    assert segment.path.name in document["error"]


def test_what_lies_in_the_folders(
    runtime: Runtime, run: Run, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file is listed with mode and size. Of a folder that is not the engine's own, only the journal's files
    are."""
    journal = tmp_path / "elsewhere" / "signals.sqlite"
    journal.parent.mkdir()
    for name in ("signals.sqlite", "signals.sqlite-wal", "signals.flags.json", "diary.txt"):
        (journal.parent / name).write_text("12345")
    (runtime.folder / "some.lock").write_text("1")
    (runtime.folder / "gone").symlink_to("nothing")
    monkeypatch.setenv("TICKFLAG_COLLECTOR__JOURNAL", str(journal))
    run("doctor", "--bundle", str(path))
    lines = contents(path)["files.txt"].splitlines()
    names = [Path(line.split()[-1]).name for line in lines]
    assert names == ["gone", "some.lock", "signals.flags.json", "signals.sqlite", "signals.sqlite-wal"]
    assert re.match(r"-rw\S+ +5  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  /", lines[-1])


def test_a_file_that_goes_meanwhile(tmp_path: Path) -> None:
    """The file's line says that it is gone."""
    assert evidence._line(tmp_path / "gone") == f"No such file or directory  {tmp_path}/gone"


def test_a_traders_secrets_are_masked(runtime: Runtime, run: Run, path: Path, tmp_path: Path) -> None:
    """Values are masked as in `show-config`, whose output this is."""
    (tmp_path / "traders.toml").write_text('[rsi]\n[rsi.settings]\napi_key = "hidden"\nperiod = 9\n')
    run("doctor", "--bundle", str(path))
    text = contents(path)["settings.toml"]
    assert text == run("show-config").stdout
    assert "hidden" not in text
    assert tomllib.loads(text)["traders"]["rsi"]["settings"] == {"api_key": "**********", "period": 9}


def test_a_text_that_is_none(path: Path) -> None:
    """A text that cannot be encoded as UTF-8 does not end the bundle."""
    with bundle_module.create(path) as bundle:
        assert isinstance(bundle, Bundle)
        bundle.add("odd.txt", "a\udc80b")
    assert contents(path)["odd.txt"] == "a?b"


def test_the_dashboards_token_is_taken_out(runtime: Runtime, run: Run, path: Path) -> None:
    """Whoever wrote it into a log: no file of the bundle holds it, and the rest of the line stays."""
    (runtime.folder / "dashboard.token").write_text("a-token-of-the-test-0123\n")
    runtime.logs.mkdir()
    (runtime.logs / "rsi.log").write_text("the token is a-token-of-the-test-0123, look\n")
    run("doctor", "--bundle", str(path))
    found = contents(path)
    assert found["logs/rsi.log"] == "the token is (removed), look\n"
    assert not any("a-token-of-the-test-0123" in text for text in found.values())
