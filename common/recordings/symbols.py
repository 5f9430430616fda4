"""The names of a recording's symbols and their index, which grows as names turn up."""

SYMBOL_MAX_BYTES = 47
"""Longest symbol name in UTF-8 bytes: what a slot's name field holds beside its end mark."""


def symbol_fault(name: str) -> str | None:
    """Why a name cannot be a symbol; None if it can."""
    if not name:
        return "is empty"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell
        return "is not valid Unicode"
    if size > SYMBOL_MAX_BYTES:
        return f"has {size} bytes, more than the {SYMBOL_MAX_BYTES} of a symbol name"
    if not name.isprintable():
        return f"holds an unprintable character: {name!r}"
    return None


class SymbolIndex:
    """Name <-> index, in order of first appearance. Names are only ever appended, so an index stays valid."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        """Name -> index. Only read it; `index` adds to it."""
        self._names: tuple[str, ...] = ()

    def index(self, name: str) -> int:
        """The index of a name, new or known. The name must have passed `symbol_fault`."""
        return self.known.setdefault(name, len(self.known))

    @property
    def names(self) -> tuple[str, ...]:
        """All names by index; the same tuple until a name is added."""
        if len(self._names) != len(self.known):
            self._names = tuple(self.known)
        return self._names
