"""Plugin: one loaded trader file, its contract checked, its hooks bound. Every call is caught here and nowhere else."""

import math
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import PluginError
from common.rows import Rows
from common.traderapi import Market, Trader
from services.trader.kernels import INFINITE, MISSING, scores_of_floats, scores_of_mask, scores_of_pair
from services.trader.loading import load_code, own_settings

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Plugin:
    """A trader ready to be asked."""

    def __init__(
        self,
        trader: Trader,
        evaluate: Callable[..., Any] | None,
        per_symbol: Callable[..., Any] | None,
        version: str = "",
        helpers: tuple[Path, ...] = (),
    ) -> None:
        self.trader = trader
        self.version = version
        """As declared, else of its content."""
        self.helpers = helpers
        """Files beside its own that it imported."""
        self._evaluate = evaluate
        self._per_symbol = per_symbol

    @property
    def vectorised(self) -> bool:
        return self._evaluate is not None

    def evaluate(self, rows: Rows, symbols: Callable[[], list[str]], time_ns: int, out: Floats) -> None:
        """Ask the trader about `rows` and write the scores to `out`, NaN where a symbol does not match.

        Raises PluginError naming the trader, the hook and what it did wrong; `out` is then undefined.
        """
        market = Market(self.trader, rows.tickers, rows.candles, rows.valid, symbols, time_ns)
        status = rows.tickers["status"]
        if self._evaluate is not None:
            self._take(self._called("evaluate", self._evaluate, market), status, out)
        else:
            scores_of_floats(self._one_by_one(market, self._per_symbol), status, out)

    def _one_by_one(self, market: Market, function: Callable[..., Any] | None) -> Floats:
        assert function is not None
        scores = np.full(len(market), np.nan)
        for i in range(len(market)):
            result = self._called("evaluate_symbol", function, market.symbol(i))
            if result is None or result is False:
                continue
            if result is not True and not isinstance(result, int | float | np.integer | np.floating | np.bool_):
                raise self._wrong("evaluate_symbol", f"gave a {type(result).__name__}; wanted a bool, a number or None")
            if isinstance(result, np.bool_) and not result:
                continue
            try:
                score = float(result)
            except OverflowError:  # a whole number beyond all floats
                score = math.inf
            if not math.isfinite(score):
                raise self._wrong("evaluate_symbol", f"gave the score {score} for {market.symbols[i]}")
            scores[i] = score
        return scores

    def _called(self, hook: str, function: Callable[..., Any], argument: Any) -> Any:
        try:
            return function(argument)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may raise anything, SystemExit too: its fault stays its own
            raise self._wrong(hook, f"raised {type(error).__name__}: {error}") from error

    def _take(self, result: Any, status: Integers, out: Floats) -> None:
        """Check the answer of `evaluate` and write it to `out`."""
        n = len(out)
        if isinstance(result, tuple) and len(result) == 2:
            mask, scores = (self._array(part, result) for part in result)
            if mask.dtype.kind != "b" or scores.dtype.kind not in "fiu":
                raise self._wrong("evaluate", f"gave a pair of {mask.dtype} and {scores.dtype}; wanted (bool, float)")
            if mask.shape != (n,) or scores.shape != (n,):
                raise self._wrong("evaluate", f"gave shapes {mask.shape} and {scores.shape}; wanted ({n},) twice")
            fault = scores_of_pair(_plain(mask, np.bool_), _plain(scores, np.float64), status, out)
        else:
            array = self._array(result, result)
            if array.dtype.kind not in "bf":
                raise self._no_array(result)
            if array.shape != (n,):
                raise self._wrong("evaluate", f"gave the shape {array.shape}; wanted ({n},), one entry a symbol")
            if array.dtype.kind == "b":
                scores_of_mask(_plain(array, np.bool_), status, out)
                return
            fault = scores_of_floats(_plain(array, np.float64), status, out)
        if fault == INFINITE:
            raise self._wrong("evaluate", "gave an infinite score")
        if fault == MISSING:
            raise self._wrong("evaluate", "gave NaN as the score of a match")

    def _array(self, part: Any, result: Any) -> npt.NDArray[Any]:
        """`part` of the answer `result` as an array."""
        try:
            return np.asarray(part)
        except Exception as error:  # rows of unequal length, or whatever the plugin's own conversion raises
            raise self._no_array(result) from error

    def _no_array(self, result: Any) -> PluginError:
        what = f"gave {_described(result)}; wanted a bool or float array, or (mask, scores)"
        return self._wrong("evaluate", what)

    def _wrong(self, hook: str, what: str) -> PluginError:
        return PluginError(f"trader {self.trader.name!r}: hook `{hook}` {what}")


def _plain(array: npt.NDArray[Any], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """The array as the kernels are compiled for: contiguous, of this type, writable."""
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable:
        return array
    return np.array(array, dtype)


def _described(result: Any) -> str:
    if isinstance(result, np.ndarray):
        return f"an array of {result.dtype}"
    return f"a {type(result).__name__}"


def load_plugin(source: Path | EntryPoint, name: str = "", settings: Mapping[str, Any] | None = None) -> Plugin:
    """Load a trader from its file or package and check its contract.

    `name` replaces the declared one. `settings` are the trader's own, for its model. Raises PluginError naming the file
    or the key at fault and what is wrong with it.
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
    if name:
        declaration = declaration.model_copy(update={"name": name})
    evaluate = code.bound("evaluate", "market", fixed) if "evaluate" in code.hooks else None
    per_symbol = code.bound("evaluate_symbol", "symbol", fixed) if "evaluate_symbol" in code.hooks else None
    return Plugin(declaration, evaluate, per_symbol, declaration.version or code.version, code.helpers)
