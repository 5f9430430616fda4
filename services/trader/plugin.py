"""Plugin: one loaded trader file, its contract checked, its hooks bound. Every call is caught here and nowhere else."""

import importlib.util
import inspect
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pluggy
from pydantic import ValidationError

from common.errors import PluginError
from common.rows import Rows
from common.traderapi import PROJECT, Market, Trader, hooks
from services.trader.kernels import INFINITE, MISSING, scores_of_floats, scores_of_mask, scores_of_pair

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Plugin:
    """A trader ready to be asked."""

    def __init__(
        self, trader: Trader, evaluate: Callable[..., Any] | None, per_symbol: Callable[..., Any] | None
    ) -> None:
        self.trader = trader
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


def load_plugin(path: Path) -> Plugin:
    """Import a trader file and check its contract. Raises PluginError naming the file and what is wrong with it."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hooks)
    module = _imported(path)
    try:
        manager.register(module, path.stem)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{path.name}: {error}") from None
    declare = _function(manager, "trader")
    evaluate, per_symbol = _function(manager, "evaluate"), _function(manager, "evaluate_symbol")
    if declare is None:
        raise PluginError(f"{path.name}: no hook `trader`: add a function `trader` marked with @hookimpl")
    if (evaluate is None) == (per_symbol is None):
        raise PluginError(f"{path.name}: needs one of the hooks `evaluate` and `evaluate_symbol`")
    try:
        declaration = declare()
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in fault["loc"]) or "Trader"
        raise PluginError(f"{path.name}: hook `trader`: `{field}`: {fault['msg']}") from None
    except BaseException as error:  # a plugin may raise anything
        raise PluginError(f"{path.name}: hook `trader` raised {type(error).__name__}: {error}") from error
    if not isinstance(declaration, Trader):
        raise PluginError(f"{path.name}: hook `trader` gave a {type(declaration).__name__}, not a Trader")
    if declaration.scope == "market" and evaluate is None:
        raise PluginError(f"{path.name}: scope `market` needs the hook `evaluate`")
    return Plugin(declaration, evaluate, per_symbol)


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tickflag_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path.name}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # importing runs the plugin's code, which may raise anything
        raise PluginError(f"{path.name}: does not import: {type(error).__name__}: {error}") from error
    return module


def _function(manager: pluggy.PluginManager, hook: str) -> Callable[..., Any] | None:
    """The plugin's function for a hook, taking that hook's one argument. Called directly: pluggy's dispatch costs
    more than a small trader's whole evaluation."""
    implementations = getattr(manager.hook, hook).get_hookimpls()
    if not implementations:
        return None
    function: Callable[..., Any] = implementations[0].function
    if not implementations[0].argnames and inspect.signature(getattr(hooks, hook)).parameters:
        return lambda _argument: function()
    return function
