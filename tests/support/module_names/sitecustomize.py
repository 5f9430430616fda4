"""Tell which file each module of a process came from. Python imports this module by itself where its folder is on the
path.

A process writes a JSON file to the folder that `MODULE_NAMES` names: its command, and the real path of each module. It
writes the file at its exit; a process that will be killed has to call `write_names`.
"""

import atexit
import json
import os
import sys

_written = (0, 0)  # process, number of modules


def write_names() -> None:
    """Write what is loaded now, unless that is written already."""
    global _written
    folder, now = os.environ.get("MODULE_NAMES"), (os.getpid(), len(sys.modules))
    if folder is None or now == _written:
        return
    _written = now
    paths = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    files = {name: os.path.realpath(path) for name, path in paths.items() if isinstance(path, str)}
    with open(os.path.join(folder, f"{os.getpid()}.json"), "w") as file:
        json.dump({"command": sys.orig_argv, "parent": os.getppid(), "files": files}, file)


atexit.register(write_names)
