"""Plugin: one loaded trader, its contract checked, its hooks bound. Every call is caught here and nowhere else."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np

from tickflag.common.arrays import Floats, Integers, Records
from tickflag.common.errors import PluginError
from tickflag.common.flags import BUILT_IN
from tickflag.common.protocol.rows import UNKNOWN, Rows
from tickflag.common.traderapi import Market, Symbol, Trader
from tickflag.common.traderapi.flags import FlagValue
from tickflag.services.trader.evaluation.plugin.answers import Answers, Notes, score_of
from tickflag.services.trader.evaluation.plugin.entries import AnswerError
from tickflag.services.trader.evaluation.plugin.loading import described, load_code, own_settings

References = Mapping[str, Symbol | None]


class Plugin:
    """A loaded trader, ready to be asked."""

    def __init__(
        self,
        trader: Trader,
        evaluate: Callable[..., Any] | None,
        per_symbol: Callable[..., Any] | None,
        version: str = "",
        helpers: tuple[Path, ...] = (),
        file: str = "",
    ) -> None:
        """`file` is the code's file, as tracebacks name it."""
        self.trader = trader
        self.version = version
        """The declared version, else that of the file's content or of the package."""
        self.helpers = helpers
        """Files beside its own that the trader imported."""
        self._file = file
        self._evaluate = evaluate
        self._per_symbol = per_symbol
        rows = np.repeat(UNKNOWN, 2)
        rows.flags.writeable = False
        self._answers = Answers(rows["status"])

    @property
    def vectorised(self) -> bool:
        return self._evaluate is not None

    def evaluate(
        self,
        rows: Rows,
        symbols: Callable[[], list[str]],
        time_ns: int,
        out: Floats,
        state: Records | None = None,
        references: References | None = None,
        flags: Mapping[str, FlagValue] | None = None,
    ) -> Notes:
        """Ask the trader about `rows`, and write the scores to `out`, NaN where a symbol does not match.

        `state` holds the trader's numbers of each row; the trader changes them in place. `flags` are the present values
        of the trader's own feature flags. Gives the notes by position in `rows`.
        Raises PluginError naming the trader, the hook and what it did wrong; `out` and `state` are then undefined.
        """
        market = Market(self.trader, rows.tickers, rows.candles, rows.valid, symbols, time_ns, state, references, flags)
        status = rows.tickers["status"]
        if self._per_symbol is not None:
            return self._one_by_one(self._per_symbol, market, status, out)
        answer = self._called("evaluate", self._evaluate, market)
        try:
            return self._answers.score(answer, status, out, symbols)
        except AnswerError as error:
            raise self._wrong("evaluate", str(error)) from error.__cause__

    def _one_by_one(self, function: Callable[..., Any], market: Market, status: Integers, out: Floats) -> Notes:
        scores, notes = np.empty(len(market)), {}
        for i in range(len(market)):
            answer = self._called("evaluate_symbol", function, market.symbol(i))
            try:
                scores[i], note = score_of(answer)
            except AnswerError as error:
                raise self._wrong("evaluate_symbol", f"{error} for {market.symbols[i]}") from None
            if note:
                notes[i] = note
        self._answers.score_floats(scores, status, out)
        return notes

    def _called(self, hook: str, function: Callable[..., Any] | None, argument: Any) -> Any:
        assert function is not None
        try:
            return function(argument)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may raise anything, SystemExit too, and harms only itself
            raise self._wrong(hook, f"raised {described(error, self._file)}") from error

    def _wrong(self, hook: str, what: str) -> PluginError:
        # A trader's text may hold lone surrogates, which no message can.
        return PluginError(f"trader {self.trader.name!r}: hook `{hook}` {what}".encode(errors="replace").decode())


def load_plugin(source: Path | EntryPoint, name: str = "", settings: Mapping[str, Any] | None = None) -> Plugin:
    """Load a trader from its file or package and check its contract.

    `name` replaces the declared name. `settings` are the trader's own, for its model. Raises PluginError naming the
    file or the key at fault and what is wrong with it.
    """
    code = load_code(source)
    if "trader" not in code.hooks:
        raise code.fault("no hook `trader`: add a function `trader` marked with @hookimpl")
    if ("evaluate" in code.hooks) == ("evaluate_symbol" in code.hooks):
        raise code.fault("needs one of the hooks `evaluate` and `evaluate_symbol`")
    fixed = {"settings": own_settings(code, f"traders.{name}.settings" if name else "settings", settings or {})}
    declaration = code.call("trader", **fixed)
    if not isinstance(declaration, Trader):
        raise code.fault(f"hook `trader` gave a {type(declaration).__name__}, not a Trader")
    if declaration.scope == "market" and "evaluate" not in code.hooks:
        raise code.fault("scope `market` needs the hook `evaluate`")
    for flag in sorted(declaration.flags.keys() & BUILT_IN.keys()):
        raise code.fault(f"hook `trader`: the feature flag {flag!r} is built in, and no trader's own")
    if name:
        declaration = declaration.model_copy(update={"name": name})
    evaluate = code.bound("evaluate", "market", fixed) if "evaluate" in code.hooks else None
    per_symbol = code.bound("evaluate_symbol", "symbol", fixed) if "evaluate_symbol" in code.hooks else None
    return Plugin(declaration, evaluate, per_symbol, declaration.version or code.version, code.helpers, code.file)
