"""Fresh: a trader's file loaded anew, with nothing left over from an earlier load."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from services.trader.plugin import Plugin, load_plugin


class Fresh:
    """`load` gives a plugin that shares nothing with those before: its helpers are imported anew as well. `turn` is
    called before."""

    def __init__(self, file: Path, own: Mapping[str, Any], turn: Callable[[], None] = lambda: None) -> None:
        self._file, self._own, self._turn = file.resolve(), own, turn
        self._beginning = f"{self._file.parent}{os.sep}"
        self.modules: list[ModuleType] = []
        """Of all loads: the trader's, and those of helpers beside it."""

    def load(self) -> Plugin:
        """The plugin, evaluated whenever something changes: without its `min_interval`. Raises PluginError."""
        self._turn()
        for name in [name for name, module in sys.modules.items() if self._is_ours(module)]:
            del sys.modules[name]
        plugin = load_plugin(self._file, settings=self._own)
        self.modules += [module for module in sys.modules.values() if self._is_ours(module)]
        plugin.trader = plugin.trader.model_copy(update={"min_interval": 0.0})
        return plugin

    def _is_ours(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        if not (isinstance(file, str) and file.startswith(self._beginning)):  # of a thousand modules nearly all
            return False
        name = file[len(self._beginning) :]
        if os.sep in name:
            return False
        return name == self._file.name or (name.startswith("_") and not name.startswith("__"))
