"""FlagSource: feature flags from an OpenFeature provider in place of the file. Needs the extra `flags`.

    collector:   wanted (flags, traders) ---->  thread: asks the provider for each of them
                 rules <------- the newest whole answer, or why there is none

The provider may talk to a server, so it is asked in a thread of its own, and the collector never waits for it.
"""

import importlib
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from common.errors import TickflagError
from common.flags import Rule, by_symbol

DOMAIN = "tickflag-collector"


class Wanted(NamedTuple):
    """What the provider is to be asked: flags with their defaults, traders with their owners."""

    flags: Mapping[str, bool]
    traders: Mapping[str, str]


class FlagSource:
    """`setting` names a callable as `package.module:name`, which gives the provider. Raises TickflagError where there
    is none, or OpenFeature is not installed."""

    def __init__(self, setting: str) -> None:
        self._make = _factory(setting)
        self._ready = threading.Condition()  # guards the following
        self._wanted: Wanted | None = None
        self._rules: dict[str, Rule] | None = None
        self._trouble = "it has not answered yet"
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="flag-provider", daemon=True)
        self._thread.start()

    def ask(self, wanted: Wanted) -> None:
        """Have the provider asked, as soon as the last round is over."""
        with self._ready:
            self._wanted = wanted
            self._ready.notify()

    @property
    def rules(self) -> dict[str, Rule] | None:
        """As of the newest round that was answered as a whole; None before the first."""
        with self._ready:
            return self._rules

    @property
    def trouble(self) -> str:
        """Why the last round has no answer; empty where it has."""
        with self._ready:
            return self._trouble

    def close(self) -> None:
        """Ask no more. A provider that hangs is left alone."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join(1.0)

    def _run(self) -> None:
        from openfeature import api

        client = None
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._closing or self._wanted is not None)
                if self._closing:
                    break
                wanted, self._wanted = self._wanted, None
                assert wanted is not None
            rules: dict[str, Rule] | None = None
            try:
                if client is None:
                    api.set_provider(self._make(), DOMAIN)
                    client = api.get_client(DOMAIN)
                rules, trouble = _answers(client, wanted)
            except Exception as error:  # noqa: BLE001 - the provider is foreign code, and may raise anything
                trouble = f"{type(error).__name__}: {error}"
            with self._ready:
                self._trouble = trouble
                if rules is not None:
                    self._rules = rules


def _factory(setting: str) -> Any:
    where = f"setting `collector.flag_provider`: {setting[:200]!r}"
    module, _, name = setting.partition(":")
    if not module or not name:
        raise TickflagError(f"{where}: write it as `package.module:name`")
    try:
        importlib.import_module("openfeature")
    except ImportError:
        raise TickflagError(f"{where} needs OpenFeature: pip install 'tickflag[flags]'") from None
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise TickflagError(f"{where} cannot be imported: {error}") from None
    if not callable(make):
        raise TickflagError(f"{where} cannot be called: it must give an OpenFeature provider")
    return make


def _answers(client: Any, wanted: Wanted) -> tuple[dict[str, Rule] | None, str]:
    """A rule for each flag; none, and why, where the provider did not answer for one. What it does not know has its
    default."""
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.exception import ErrorCode

    rules = {}
    for flag, default in wanted.flags.items():
        values = {}
        for trader, owner in {"": ""}.items() if by_symbol(flag) else wanted.traders.items():
            details = client.get_boolean_details(flag, default, EvaluationContext(trader or None, {"owner": owner}))
            if details.error_code not in (None, ErrorCode.FLAG_NOT_FOUND):
                return (
                    None,
                    f"feature flag {flag!r}: {details.error_code}: {details.error_message or 'no reason given'}",
                )
            values[trader] = bool(details.value)
        everybody = values.pop("", default)
        rules[flag] = Rule(default=everybody, force={name: on for name, on in values.items() if on != everybody})
    return rules, ""
