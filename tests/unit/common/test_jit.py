import errno
import fcntl
import importlib.util
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from tickflag.common import jit
from tickflag.common.jit import cache_folder, direct, kernel, prepare_cache, warming


def _fresh_module() -> Any:
    """A second copy of the module, just executed."""
    spec = importlib.util.spec_from_file_location("fresh_jit", jit.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_cache_lies_below_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`XDG_CACHE_HOME` decides, else `~/.cache`; every process of one version uses the same name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = cache_folder().name
    assert cache_folder() == tmp_path / "tickflag" / name
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "tickflag" / name


def test_another_version_of_a_kernel_has_another_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cache's name is derived from the contents of every file that kernels come from, also of inlined ones."""
    root = Path(jit.__file__).parent.parent
    made_of = {"common/units.py", "common/segment/layout.py", "common/segment/atomics.py"}
    for path in (*(root / "common").rglob("*.py"), *(root / "services").rglob("*.py")):
        source = str(path.relative_to(root))
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / source).write_bytes(path.read_bytes())
        if "\n@kernel\n" in path.read_text():
            made_of.add(source)
    monkeypatch.setattr(jit, "_ROOT", tmp_path)
    names = {cache_folder().name}
    for source in made_of:
        with (tmp_path / source).open("a") as file:
            file.write("# changed\n")
        names.add(cache_folder().name)
    assert len(names) == 1 + len(made_of)


@pytest.mark.parametrize("name", ["", "chosen"])
def test_a_chosen_cache_folder_is_kept(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`NUMBA_CACHE_DIR` wins over our own folder."""
    chosen = str(tmp_path / name) if name else ""
    options: Any = numba.config
    monkeypatch.setattr(options, "CACHE_DIR", chosen)
    monkeypatch.setenv("NUMBA_CACHE_DIR", chosen)
    expected = chosen or str(_fresh_module().cache_folder())
    _fresh_module()
    assert expected == options.CACHE_DIR


def test_files_that_come_and_go_do_not_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another process may be writing to a chosen cache folder."""
    options: Any = numba.config
    monkeypatch.setattr(options, "CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / "k.nbc").touch(0o600)
    monkeypatch.setattr(Path, "rglob", lambda folder, _pattern: [folder / "k.nbc", folder / "gone"])
    _fresh_module()
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path) == options.CACHE_DIR


def _by_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    folder.chmod(0o775)


def _within_by_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(0o755)
    (folder / "tick_1").mkdir()
    (folder / "tick_1" / "k.nbc").touch()
    (folder / "tick_1" / "k.nbc").chmod(0o666)


def _of_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    real = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: real + 1)


def _linked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "elsewhere").mkdir()
    folder.symlink_to(folder.parent / "elsewhere")


def _no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.touch()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_by_others, "others may write to it"),
        (_within_by_others, "others may write to k.nbc in it"),
        (_of_another, "belongs to another user"),
        (_linked, "is a link or a file"),
        (_no_folder, "File exists"),
    ],
)
def test_a_chosen_cache_folder_that_others_may_write_to_is_not_used(
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Machine code from there would be somebody else's. Our own folder takes its place, which is said once: processes
    that are started from here do not see the variable."""
    folder = tmp_path / "chosen"
    options: Any = numba.config
    monkeypatch.setattr(options, "CACHE_DIR", str(folder))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    spoil(folder, monkeypatch)
    _fresh_module()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == (
        f"tickflag: NUMBA_CACHE_DIR is not used: {folder}: {reason}: name a folder that only you may write to"
    )
    assert len(said) == (1 if spoil is not _of_another else len(said))
    assert "NUMBA_CACHE_DIR" not in os.environ
    assert str(folder) != options.CACHE_DIR


def test_a_kernel_has_a_plain_twin() -> None:
    """The compiled function and `py_func` give the same."""

    def double(number: int) -> int:
        return number * 2

    compiled: Any = kernel(double)
    assert compiled.py_func is double
    assert compiled(21) == double(21) == 42


def test_a_direct_kernel_gives_the_same() -> None:
    """The kernel is compiled for the types of the example alone, before its first call; a plain twin stays as it is."""

    def total(pair: Any, factor: int) -> int:
        return int(pair[0].sum() + pair[1].sum()) * factor

    pair = (np.arange(3), np.arange(4))
    compiled: Any = kernel(total)
    straight = direct(compiled, pair, 1)
    assert len(compiled.signatures) == 1
    assert straight(pair, 2) == total(pair, 2) == 18
    assert direct(total, pair, 1) is total


def test_one_role_warms_up_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """While a role compiles, no other process begins to; only the first time is announced."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said: list[str] = []
    with warming("feed", lambda: said.append("feed")), (cache_folder() / "lock").open("w") as other:
        assert said == ["feed"]
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (cache_folder() / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with warming("feed", lambda: said.append("again")):
        pass
    assert said == ["feed"]


def test_a_failed_warm_up_is_not_taken_for_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where compiling failed, the next start says again that there is something to compile, and no lock stays."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said: list[str] = []

    def fail() -> None:
        raise RuntimeError("no compiler")

    with pytest.raises(RuntimeError), warming("feed", lambda: said.append("first")):
        fail()
    with warming("feed", lambda: said.append("second")):
        pass
    assert said == ["first", "second"]


@pytest.fixture
def cache_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the test's own, and a temporary folder; the variable is as before after the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_nobody_else_can_write_to_the_cache(cache_of_its_own: Path) -> None:
    """Whatever the umask is. What was open to others is thrown away: they may have put code there."""
    former = os.umask(0)
    try:
        folder = prepare_cache()
        assert folder == cache_folder()
        for one in (folder, folder.parent):
            assert stat.S_IMODE(one.stat().st_mode) == 0o700
        folder.chmod(0o755)
        (folder / "kept").touch()
        assert prepare_cache() == folder
        assert (folder / "kept").exists()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        folder.chmod(0o777)
        assert prepare_cache() == folder
        assert list(folder.iterdir()) == []
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        os.umask(former)


def _spoil_file(base: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "cache").touch()


def _spoil_link(base: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "cache").mkdir()
    (base / "elsewhere").mkdir()
    (base / "cache" / "tickflag").symlink_to(base / "elsewhere")


def _spoil_owner(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uid, real = os.getuid(), os.getuid
    (base / "cache" / "tickflag").mkdir(parents=True)
    answers = iter([uid + 1])  # for the folder that is there
    monkeypatch.setattr(os, "getuid", lambda: next(answers, None) or real())


def _spoil_room(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage, real = shutil.disk_usage(base), shutil.disk_usage
    full = usage._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full if "cache/" in str(path) else real(path))


def _spoil_home(_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_spoil_file, "Not a directory"),
        (_spoil_link, "is a link or a file"),
        (_spoil_owner, "belongs to another user"),
        (_spoil_room, "No space left on device"),
        (_spoil_home, "no home folder"),
    ],
)
def test_a_cache_that_cannot_be_used(
    cache_of_its_own: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    reason: str,
) -> None:
    """A private folder below the temporary one takes its place, for the processes started from here too; it is said
    once."""
    spoil(cache_of_its_own, monkeypatch)
    folder = prepare_cache()
    instead = cache_of_its_own / f"tickflag-cache-{os.getuid()}"
    assert folder is not None
    assert folder.parent.parent == instead
    assert os.environ["XDG_CACHE_HOME"] == str(instead)
    assert stat.S_IMODE(instead.stat().st_mode) == 0o700
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{reason}: compiled kernels are kept in {instead}; set XDG_CACHE_HOME" in said
    assert prepare_cache() == folder
    assert capsys.readouterr().err == ""


def test_nowhere_to_keep_kernels(
    cache_of_its_own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are compiled in every process, which is said; a warm-up has no lock then."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")

    def refuse(*_: object, **_options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert prepare_cache() is None
    assert os.environ["XDG_CACHE_HOME"] == str(cache_of_its_own / "cache")
    assert "Read-only file system: every process compiles its kernels anew" in capsys.readouterr().err
    said: list[str] = []
    with warming("feed", lambda: said.append("feed")):
        pass
    assert said == ["feed"]
    assert _fresh_module()._keeps is False
