"""The few exceptions that more than one module raises."""


class TickflagError(Exception):
    """A user's or an operator's mistake, or a peer's. The message names the thing at fault and what to do."""


class AlreadyRunning(TickflagError):  # noqa: N818 - reads as the state it reports
    """Another process holds the role. A process that meets this exits with status 75."""


class SegmentError(TickflagError):
    """The segment cannot be created or used."""


class SymbolTableFull(SegmentError):  # noqa: N818 - reads as the state it reports
    """Every slot of the segment is taken; the new symbol is refused and the rest goes on."""


class MessageError(TickflagError):
    """A frame that is not one of our messages: too large, damaged, of unknown kind or with a wrong field."""


class PluginError(TickflagError):
    """A trader plugin broke its contract; the message names the plugin and the hook."""
