"""`dashboard`: the address and the link, or why there is none."""

import webbrowser

import pytest

from tests.unit.cli.conftest import Run
from tickflag.common.login_code import LoginCodes
from tickflag.common.runtime import Role, Runtime, ServedAddress

TOKEN = "a-token-of-the-test-0123"
URL = "http://127.0.0.1:8087"


def test_a_running_dashboard(runtime: Runtime, run: Run) -> None:
    """The address, and a link that counts in place of the token, which only programs get to see."""
    (runtime.folder / "dashboard.token").write_text(f"{TOKEN}\n")
    with Role(runtime, "dashboard"):
        ServedAddress(runtime, "dashboard").write(URL)
        codes = LoginCodes(TOKEN)
        shown = run("dashboard")
        address, link = shown.stdout.splitlines()
        assert address == f"address    {URL}"
        head, _, code = link.partition("/login?code=")
        assert head == f"link       {URL}"
        assert codes.redeem(code)
        assert TOKEN not in shown.output
        assert run("dashboard", "--token").stdout == f"{TOKEN}\n"


@pytest.mark.parametrize("opens", [True, False])
def test_a_browser_is_opened(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch, opens: bool) -> None:
    """With a link whose code counts, and not the token; where there is no browser, the words say what to do."""
    opened: list[str] = []

    def open_link(link: str) -> bool:
        opened.append(link)
        return opens

    monkeypatch.setattr(webbrowser, "open", open_link)
    (runtime.folder / "dashboard.token").write_text(f"{TOKEN}\n")
    with Role(runtime, "dashboard"):
        ServedAddress(runtime, "dashboard").write(URL)
        codes = LoginCodes(TOKEN)
        result = run("dashboard", "--open")
    (link,) = opened
    assert link.startswith(f"{URL}/login?code=")
    assert TOKEN not in link
    assert codes.redeem(link.partition("=")[2])
    assert result.exit_code == (0 if opens else 1)
    assert TOKEN not in result.output


def test_no_dashboard(runtime: Runtime, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reason is one line that says what to do."""

    def refusal() -> str:
        result = run("dashboard")
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        return result.stderr

    assert "no dashboard is running for instance 'test' (start it with `tickflag start`" in refusal()
    with Role(runtime, "dashboard"):
        assert "still starting" in refusal()
        ServedAddress(runtime, "dashboard").write("")
        assert "is not served anywhere" in refusal()
        ServedAddress(runtime, "dashboard").write(URL)
        assert "there is no token yet" in refusal()
        (runtime.folder / "dashboard.token").mkdir()
        assert "set `dashboard.token_file`" in refusal()
    monkeypatch.setenv("TICKFLAG_DASHBOARD__PORT", "0")
    assert "the dashboard is switched off" in refusal()
