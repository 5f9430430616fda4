"""operator: who gives a command, for the history of changes."""

import getpass
import os


def operator() -> str:
    """The user's name; `uid 1234` for a user without a name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # before and since Python 3.13
        return f"uid {os.getuid()}"
