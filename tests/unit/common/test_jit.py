import fcntl
import importlib.util
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from common import jit
from common.jit import cache_folder, direct, kernel, warming


def _fresh_module() -> Any:
    """A second copy of the module, executed now."""
    spec = importlib.util.spec_from_file_location("fresh_jit", jit.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_cache_lies_below_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`XDG_CACHE_HOME` decides, else `~/.cache`; the name is the same in every process of one version."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = cache_folder().name
    assert cache_folder() == tmp_path / "tickflag" / name
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "tickflag" / name


def test_another_version_of_a_kernel_has_another_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cache's name follows the contents of every file that kernels are made of, theirs or an inlined one."""
    root = Path(jit.__file__).parent.parent
    made_of = {"common/layout.py", "common/atomics.py"}
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


@pytest.mark.parametrize("chosen", ["", "/some/where"])
def test_a_chosen_cache_folder_is_kept(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`NUMBA_CACHE_DIR` wins over our own folder."""
    options: Any = numba.config
    monkeypatch.setattr(options, "CACHE_DIR", chosen)
    monkeypatch.setenv("NUMBA_CACHE_DIR", chosen)
    expected = chosen or str(_fresh_module().cache_folder())
    _fresh_module()
    assert expected == options.CACHE_DIR


def test_a_kernel_has_a_plain_twin() -> None:
    """The compiled function and `py_func` give the same."""

    def double(number: int) -> int:
        return number * 2

    compiled: Any = kernel(double)
    assert compiled.py_func is double
    assert compiled(21) == double(21) == 42


def test_a_direct_kernel_gives_the_same() -> None:
    """It was compiled for the types of the example alone, before its first call; a plain twin is left as it is."""

    def total(pair: Any, factor: int) -> int:
        return int(pair[0].sum() + pair[1].sum()) * factor

    pair = (np.arange(3), np.arange(4))
    compiled: Any = kernel(total)
    straight = direct(compiled, pair, 1)
    assert len(compiled.signatures) == 1
    assert straight(pair, 2) == total(pair, 2) == 18
    assert direct(total, pair, 1) is total


def test_one_role_warms_up_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """While a role compiles, no other process starts to; only the first time says so."""
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
    """Where compiling failed, the next start says again that there is something to compile, and nobody is locked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said: list[str] = []

    def fail() -> None:
        raise RuntimeError("no compiler")

    with pytest.raises(RuntimeError), warming("feed", lambda: said.append("first")):
        fail()
    with warming("feed", lambda: said.append("second")):
        pass
    assert said == ["first", "second"]
