"""Key files: readable by their owner only; a bad file is refused with what to do."""

import stat
from pathlib import Path

import pytest
import zmq

from tickflag.common.errors import TickflagError
from tickflag.common.wire import keys
from tickflag.common.wire.keys import KeyPair, load_pair, load_public


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return keys.create(tmp_path, "ann")[1]


def test_a_pair_is_read_as_it_was_made(secret: Path) -> None:
    """The public file has the public key and nothing secret. Only the owner may read either, whatever the umask."""
    public = secret.with_name("ann.key")
    pair = load_pair(secret, "remote.client_key", "")
    assert load_public(public) == pair.public
    assert pair.secret not in public.read_bytes()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (public, secret)] == [0o600, 0o600]


def test_no_key_is_overwritten(secret: Path) -> None:
    """The key may be in use somewhere."""
    before = secret.read_bytes()
    with pytest.raises(TickflagError, match=r"ann\.key already: move it away"):
        keys.create(secret.parent, "ann")
    secret.with_name("ann.key").unlink()
    with pytest.raises(TickflagError, match=r"ann\.key_secret already"):
        keys.create(secret.parent, "ann")
    assert secret.read_bytes() == before


def test_a_public_key_is_written_whole(secret: Path, tmp_path: Path) -> None:
    """The file is readable by its owner only, and replaces the old one."""
    public = load_pair(secret, "x", "").public
    path = tmp_path / "copy.key"
    path.write_text("something else")
    keys.write_public(path, public)
    assert load_public(path) == public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ann.key", "ann.key_secret", "copy.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_secret_that_others_can_read_is_refused(secret: Path, mode: int) -> None:
    """The error has the command that mends it."""
    secret.chmod(mode)
    with pytest.raises(TickflagError) as caught:
        load_pair(secret, "remote.client_key", "")
    assert f"setting `remote.client_key`: others can read the secret key {secret} (mode {mode:o})" in str(caught.value)
    assert f"`chmod 600 {secret}`" in str(caught.value)
    secret.chmod(0o400)
    assert load_pair(secret, "remote.client_key", "")


def test_the_secret_is_not_shown(secret: Path) -> None:
    """It is neither in a log nor in a failing test."""
    pair = load_pair(secret, "x", "")
    assert repr(pair) == f"KeyPair({pair.public!r})"
    assert pair.secret.decode() not in f"{pair} {pair!r}"


def test_the_wrong_one_of_the_two_is_told(secret: Path) -> None:
    """A secret file is not taken for a public one, because it might then be copied; nor the other way round."""
    with pytest.raises(TickflagError, match=r"holds a secret key, .*: use the file `NAME\.key`"):
        load_public(secret)
    with pytest.raises(TickflagError, match=r"holds no secret key: name the file that ends in `\.key_secret`"):
        load_pair(secret.with_name("ann.key"), "x", "")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"hello", b"\xff\xfe", b'public-key = "short"', b'public-key = "%s"' % (b"~" * 40),
        b'public-key = "%s"' % (b"#" * 40), b"x" * 20_000,
    ],
)  # fmt: skip
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """The file is empty, another file, a damaged key, or longer than a key."""
    path = tmp_path / "x.key"
    path.write_bytes(content)
    with pytest.raises(TickflagError, match=r"x\.key (holds no public key|is no key file)"):
        load_public(path)


def test_a_damaged_secret_is_refused(secret: Path) -> None:
    """The error says what to do."""
    pair = load_pair(secret, "x", "")
    for damaged in (pair.secret[:-1], b"\xff" * 40):
        secret.write_bytes(secret.read_bytes().replace(pair.secret, damaged))
        with pytest.raises(TickflagError, match=r"setting `x`: the key in .* is damaged: make one"):
            load_pair(secret, "x", "make one")
        pair = KeyPair(pair.public, damaged)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """The path is missing, a folder, or below a file; the error names the setting, where there is one."""
    with pytest.raises(TickflagError, match=r"^setting `s`: there is no key file .*none\.key: make one$"):
        load_public(tmp_path / "none.key", "s", "make one")
    with pytest.raises(TickflagError, match=r"^/.* is no key file$"):
        load_public(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(TickflagError, match=r"^/.*: Not a directory$"):
        load_public(tmp_path / "file" / "x.key")


def test_a_zeromq_without_curve(secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says that CURVE is missing, and what to do."""
    monkeypatch.setattr(zmq, "has", lambda _what: False)
    with pytest.raises(TickflagError, match="built without CURVE: install"):
        load_pair(secret, "x", "")
    with pytest.raises(TickflagError, match="built without CURVE: install"):
        keys.create(tmp_path, "bob")
