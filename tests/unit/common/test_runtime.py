import fcntl
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tickflag.common import runtime as module
from tickflag.common.errors import AlreadyRunning, TickflagError
from tickflag.common.runtime import MAX_SOCKET_PATH_BYTES, Role, Runtime, ServedAddress, default_root, state_root
from tickflag.common.settings import load
from tickflag.common.wire import sockets

ROOT = Path(module.__file__).parent.parent

HOLD = """
import json, sys
from pathlib import Path
from tickflag.common.errors import AlreadyRunning
from tickflag.common.runtime import Role, Runtime
runtime = Runtime(Path(sys.argv[1]), "test")
try:
    role = Role(runtime, "feed")
except AlreadyRunning as error:
    print(json.dumps(str(error)), flush=True)
else:
    print(json.dumps("held"), flush=True)
    sys.stdin.read()
"""


def _holder(runtime: Runtime) -> subprocess.Popen[str]:
    """A process that tries to hold the role `feed`, reports the outcome, and keeps the role until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(runtime.folder.parent)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def _said(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_default_root_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The root names the user; it is in shared memory on Linux, else in the temporary folder."""
    name = f"tickflag-{os.getuid()}"
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_root() in {Path("/dev/shm") / name, Path(tempfile.gettempdir()) / name}
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert default_root() == tmp_path / name


@pytest.mark.parametrize("instance", ["", ".", "..", ".x", "a/b", "a b", "x" * 33, "ä", "a\n"])
def test_an_instance_that_is_no_plain_name_is_refused(instance: str) -> None:
    """The instance becomes a folder's name: a name that leads elsewhere is refused."""
    with pytest.raises(TickflagError, match="instance"):
        Runtime(Path("/tmp"), instance)


def test_every_socket_path_is_short_enough() -> None:
    """A folder is refused, with the setting, only where the path of one of our sockets would be too long."""
    longest = max(len(role.endpoint) for role in vars(sockets).values() if isinstance(role, sockets.SocketRole))
    room = MAX_SOCKET_PATH_BYTES - len("/main/") - longest
    runtime = Runtime(Path("/" + "x" * (room - 1)), "main")
    roles = [role for role in vars(sockets).values() if isinstance(role, sockets.SocketRole)]
    for role in roles:
        assert len(runtime.socket(role.endpoint).removeprefix("ipc://")) <= MAX_SOCKET_PATH_BYTES
    with pytest.raises(TickflagError, match=r"runtime\.root"):
        Runtime(Path("/" + "x" * room), "main").check_sockets()
    runtime.check_sockets()


def test_a_temporary_folder_with_room_for_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual one where it is short enough, else the runtime folder, else `/tmp`."""
    name = "/xxxx"
    longest = "/" + "x" * (MAX_SOCKET_PATH_BYTES - 1 - len(name))
    monkeypatch.setattr(tempfile, "tempdir", longest)
    assert Runtime(Path("/r"), "a").temporary_folder(name) == longest
    monkeypatch.setattr(tempfile, "tempdir", f"{longest}x")
    assert Runtime(Path("/r"), "a").temporary_folder(name) == "/r/a"
    assert Runtime(Path(longest), "a").temporary_folder(name) == "/tmp"


def test_naming_touches_nothing(tmp_path: Path) -> None:
    """Creating a Runtime makes no folder; all its paths are in one folder."""
    runtime = Runtime(tmp_path / "r", "main")
    names = [runtime.pointer, runtime.logs, runtime.lock_path("feed")]
    assert {path.parent for path in names} == {tmp_path / "r" / "main"}
    assert runtime.socket("feed-events") == f"ipc://{tmp_path}/r/main/feed-events"
    assert runtime.segments() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "home", "expected"),
    [
        ("/state", "/home/me", Path("/state/tickflag")),
        ("", "/home/me", Path("/home/me/.local/state/tickflag")),
        ("not/absolute", "/home/me", Path("/home/me/.local/state/tickflag")),
        ("", "nowhere", None),
    ],
)
def test_the_state_folder(variable: str, home: str, expected: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable decides where it is a full path; else the folder is below the home folder, where there is one."""
    monkeypatch.setenv("XDG_STATE_HOME", variable)
    monkeypatch.setenv("HOME", home)
    assert state_root() == expected


def test_folders_made_are_their_owners_only(tmp_path: Path) -> None:
    """`prepare` makes the folder and the one above it with mode 0700, and may be called again."""
    runtime = Runtime(tmp_path / "r", "main")
    runtime.prepare()
    runtime.prepare()
    assert _mode(runtime.folder) == _mode(runtime.folder.parent) == 0o700


def test_an_open_folder_is_closed(tmp_path: Path) -> None:
    """A folder of ours that others may look into gets mode 0700."""
    runtime = Runtime(tmp_path, "main")
    runtime.folder.mkdir()
    runtime.folder.chmod(0o755)
    runtime.prepare()
    assert _mode(runtime.folder) == 0o700


def _as_another_user(monkeypatch: pytest.MonkeyPatch, owners: dict[Path, int]) -> None:
    """Make folders look as if others owned them."""
    real = Path.stat

    def pretended(path: Path, **arguments: Any) -> os.stat_result:
        status = real(path, **arguments)
        uid = owners.get(path, status.st_uid)
        return os.stat_result((*status[:4], uid, *status[5:]))

    monkeypatch.setattr(Path, "stat", pretended)


@pytest.mark.parametrize("which", [lambda folder: folder, lambda folder: folder.parent])
def test_someone_elses_folder_is_refused(
    which: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A runtime folder that another user owns, or could replace, is refused by its name."""
    runtime = Runtime(tmp_path / "r", "main")
    runtime.prepare()
    folder = which(runtime.folder)
    _as_another_user(monkeypatch, {folder: os.getuid() + 1})
    with pytest.raises(TickflagError, match=f"{folder} belongs to another user"):
        runtime.prepare()
    with pytest.raises(TickflagError, match=f"{folder} belongs to another user"):
        load(runtime={"root": str(tmp_path / "r")}, instance="main").runtime_folder()


def test_a_system_folder_may_lie_above(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A root that the superuser owns, such as /tmp, is accepted."""
    runtime = Runtime(tmp_path / "r", "main")
    runtime.prepare()
    _as_another_user(monkeypatch, {runtime.folder.parent: 0})
    runtime.prepare()


def test_a_link_as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A link of ours is followed, but not one of another user, nor one of ours that leads to another's folder."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    runtime = Runtime(link, "main")
    runtime.prepare()
    assert (tmp_path / "real" / "main").is_dir()
    for path in (link, tmp_path / "real"):
        with monkeypatch.context() as foreign:
            _as_another_user(foreign, {path: os.getuid() + 1})
            with pytest.raises(TickflagError, match=f"{link} belongs to another user"):
                runtime.prepare()
    (tmp_path / "real" / "main").rmdir()
    (tmp_path / "real").rmdir()
    runtime.check()  # it leads nowhere


@pytest.mark.parametrize("what", ["link", "file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, what: str) -> None:
    """The instance's own folder is no link, whoever made that."""
    runtime = Runtime(tmp_path, "main")
    if what == "link":
        (tmp_path / "else").mkdir()
        runtime.folder.symlink_to(tmp_path / "else")
    else:
        runtime.folder.touch()
    for call in (runtime.check, runtime.prepare):
        with pytest.raises(TickflagError, match=f"{runtime.folder} is no folder, but a link or file"):
            call()


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Whatever is in it may be theirs; it is not simply closed."""
    runtime = Runtime(tmp_path, "main")
    runtime.prepare()
    runtime.folder.chmod(mode)
    for call in (runtime.check, runtime.prepare):
        with pytest.raises(TickflagError, match=f"`chmod 700 {runtime.folder}`"):
            call()


def test_a_folder_that_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names it."""

    def refuse(path: Path, **_: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "lstat", refuse)
    with pytest.raises(TickflagError, match=f"runtime folder {tmp_path}: Permission denied: set"):
        Runtime(tmp_path, "main").check()


def test_the_pointer_is_replaced_as_one_step(runtime: Runtime) -> None:
    """There is no pointer, or it names the newest segment; nothing else is left in the folder."""
    assert runtime.read_pointer() is None
    runtime.write_pointer("one.seg")
    runtime.write_pointer("two.seg")
    assert runtime.read_pointer() == "two.seg"
    assert [path.name for path in runtime.folder.iterdir()] == [runtime.pointer.name]


def test_an_empty_pointer_names_nothing(runtime: Runtime) -> None:
    """A pointer file without a name counts as none."""
    runtime.pointer.write_text("\n")
    assert runtime.read_pointer() is None


def test_segments_are_found_by_their_suffix(runtime: Runtime) -> None:
    """Segment files of any age are listed, other files are not."""
    for name in ("b.seg", "a.seg", "feed.lock"):
        (runtime.folder / name).touch()
    assert [path.name for path in runtime.segments()] == ["a.seg", "b.seg"]


def test_a_second_holder_is_told_who_the_first_is(runtime: Runtime) -> None:
    """While a process holds the role, another one gets AlreadyRunning with its process id; then it gets the role."""
    with Role(runtime, "feed") as role:
        assert Role.holder(runtime, "feed") == os.getpid()
        with _holder(runtime) as second:
            message = _said(second)
        assert f"pid {os.getpid()}" in message
        assert str(role.path) in message
    assert Role.holder(runtime, "feed") is None
    with _holder(runtime) as second:
        assert _said(second) == "held"
        assert Role.holder(runtime, "feed") == second.pid
        with pytest.raises(AlreadyRunning, match=f"pid {second.pid}"):
            Role(runtime, "feed")


def test_a_killed_holder_leaves_the_role_free(runtime: Runtime) -> None:
    """The lock goes with the process, however that ends; the file stays and names a process that holds nothing."""
    with _holder(runtime) as first:
        assert _said(first) == "held"
        first.kill()
        first.wait()
        assert runtime.lock_path("feed").read_text() == str(first.pid)
        assert Role.holder(runtime, "feed") is None
        with Role(runtime, "feed"):
            assert runtime.lock_path("feed").read_text() == str(os.getpid())


def test_a_child_does_not_inherit_the_role(runtime: Runtime) -> None:
    """A program started while the role is held does not keep it alive."""
    with Role(runtime, "feed"):
        child = subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True); input()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, close_fds=False,
        )  # fmt: skip
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        assert Role.holder(runtime, "feed") is None
    finally:
        child.communicate("\n")


def test_roles_do_not_exclude_one_another(runtime: Runtime) -> None:
    """Feed and collector of one instance run side by side; releasing twice does no harm."""
    feed, collector = Role(runtime, "feed"), Role(runtime, "collector")
    for role in (feed, collector, feed):
        role.release()


def test_nobody_holds_a_role_that_never_was(runtime: Runtime) -> None:
    """A role without a lock file has no holder, and asking makes none."""
    assert Role.holder(runtime, "feed") is None
    assert not runtime.lock_path("feed").exists()


def test_a_holder_that_has_not_written_yet_is_unknown(runtime: Runtime) -> None:
    """A holder that has its lock but has not written its process id is there, without a number."""
    with Role(runtime, "feed"):
        os.truncate(runtime.lock_path("feed"), 0)
        assert Role.holder(runtime, "feed") == 0
        with pytest.raises(AlreadyRunning, match="pid unknown"):
            Role(runtime, "feed")


def test_asking_who_holds_a_role_keeps_nobody_from_it(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check locks the role for a moment: a process that wants the role waits for the check to end."""
    look = os.open(runtime.lock_path("feed"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(look, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _seconds: fcntl.flock(look, fcntl.LOCK_UN))
    with Role(runtime, "feed"):
        pass
    os.close(look)


def test_a_look_that_never_ends_is_not_waited_for(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who keeps checking cannot hang a start for ever."""
    look = os.open(runtime.lock_path("feed"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(look, fcntl.LOCK_SH)
    monkeypatch.setattr(module, "_LOCK_TRIES", 3)
    with pytest.raises(AlreadyRunning):
        Role(runtime, "feed")
    os.close(look)


def test_a_service_tells_where_it_is_served(runtime: Runtime) -> None:
    """The address counts while the service that wrote it runs: not before it is told, not after the service's end, and
    not that of a crashed one."""
    served = ServedAddress(runtime, "dashboard")
    assert served.read() is None
    with Role(runtime, "dashboard"):
        assert served.read() is None
        served.path.write_text("1 http://127.0.0.1:1\n")
        assert served.read() is None
        served.write("http://127.0.0.1:8087")
        assert served.read() == "http://127.0.0.1:8087"
        served.write("")
        assert served.read() == ""
        served.write("http://[::1]:8087")
    assert served.read() is None
    served.remove()
    served.remove()
    assert list(runtime.folder.glob("dashboard-*")) == []
