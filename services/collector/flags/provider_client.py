"""ProviderClient: feature flags from an OpenFeature provider, in place of the file. Needs the extra `flags`.

    collector:   query (flags, traders) ---->  thread: asks the provider for each flag and trader
                 rules <---- the newest whole answer, or why there is none

The provider may talk to a server. So a separate thread asks the provider, and the collector never waits.
"""

import importlib
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from tickflag.common.errors import TickflagError
from tickflag.common.flags import Rule, by_symbol

DOMAIN = "tickflag-collector"


class ProviderQuery(NamedTuple):
    """What the provider is to be asked: feature flags with their defaults, for traders with their owners."""

    flags: Mapping[str, bool]
    traders: Mapping[str, str]


class ProviderClient:
    """Only the collector's thread calls the methods."""

    def __init__(self, setting: str) -> None:
        """`setting` names a callable that gives the provider, as `package.module:name`. Raises TickflagError where
        there is no such callable, or OpenFeature is not installed."""
        self._make = _factory(setting)
        self._ready = threading.Condition()  # guards the fields that follow
        self._query: ProviderQuery | None = None
        self._rules: dict[str, Rule] | None = None
        self._trouble = "it has not answered yet"
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="flag-provider", daemon=True)
        self._thread.start()

    def ask(self, query: ProviderQuery) -> None:
        """Ask the provider, once it has answered the query before; then `rules` or `trouble` has the outcome."""
        with self._ready:
            self._query = query
            self._ready.notify()

    @property
    def rules(self) -> dict[str, Rule] | None:
        """Feature flag -> rule, of the newest query that was answered as a whole; None before the first."""
        with self._ready:
            return self._rules

    @property
    def trouble(self) -> str:
        """Why the last query has no answer; empty where it has one."""
        with self._ready:
            return self._trouble

    def close(self) -> None:
        """Ask no more. Waits at most a second for the thread, as the provider may hang."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join(1.0)

    def _run(self) -> None:
        from openfeature import api

        client = None
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._closing or self._query is not None)
                if self._closing:
                    break
                query, self._query = self._query, None
                assert query is not None
            rules: dict[str, Rule] | None = None
            try:
                if client is None:
                    api.set_provider(self._make(), DOMAIN)
                    client = api.get_client(DOMAIN)
                rules, trouble = _answers(client, query)
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
    except ModuleNotFoundError:
        raise TickflagError(f"{where} needs OpenFeature: pip install 'tickflag[flags]'") from None
    # Python was started so that no file in the current folder can replace a module (`-P`). A provider may lie in that
    # folder: at the end of the path the folder adds modules and replaces none.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise TickflagError(f"{where} cannot be imported: {error}") from None
    if not callable(make):
        raise TickflagError(f"{where} cannot be called: it must give an OpenFeature provider")
    return make


def _answers(client: Any, query: ProviderQuery) -> tuple[dict[str, Rule] | None, str]:
    """A rule for each feature flag, and no reason; or no rules, and the reason why the provider did not answer for one
    of them. A feature flag that the provider does not know has its default."""
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.exception import ErrorCode

    rules = {}
    for flag, default in query.flags.items():
        values = {}
        for trader, owner in {"": ""}.items() if by_symbol(flag) else query.traders.items():
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
