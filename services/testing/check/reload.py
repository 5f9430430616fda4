"""FreshLoader: loads a trader's file anew, with nothing left over from an earlier load."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from tickflag.services.trader.evaluation.plugin.plugin import Plugin, load_plugin


class FreshLoader:
    """`load` gives a plugin that shares nothing with earlier ones: its helpers are imported anew as well.

    `on_progress` is called before each load.
    """

    def __init__(self, file: Path, own: Mapping[str, Any], on_progress: Callable[[], None] = lambda: None) -> None:
        self._file, self._own, self._on_progress = file.resolve(), own, on_progress
        self._beginning = f"{self._file.parent}{os.sep}"
        self.modules: list[ModuleType] = []
        """The modules of all loads: the trader's and its helpers'."""

    def load(self) -> Plugin:
        """The plugin without its `min_interval`, so that every change is evaluated. Raises PluginError."""
        self._on_progress()
        for name in [name for name, module in sys.modules.items() if self._is_ours(module)]:
            del sys.modules[name]
        plugin = load_plugin(self._file, settings=self._own)
        self.modules += [module for module in sys.modules.values() if self._is_ours(module)]
        plugin.trader = plugin.trader.model_copy(update={"min_interval": 0.0})
        return plugin

    def _is_ours(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        if not (isinstance(file, str) and file.startswith(self._beginning)):  # nearly all modules end here, cheaply
            return False
        name = file[len(self._beginning) :]
        if os.sep in name:
            return False
        return name == self._file.name or (name.startswith("_") and not name.startswith("__"))
