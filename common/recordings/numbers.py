"""Numbers: texts of numbers as people and spreadsheets of many countries write them, brought into plain form."""

import re
from dataclasses import dataclass
from typing import Any

from tickflag.common.errors import TickflagError
from tickflag.common.recordings.casting import arrow


@dataclass(frozen=True, slots=True)
class NumberForm:
    """How numbers are written: the character before decimals, and the one between thousands, if there is one."""

    decimal: str = "."
    thousands: str = ""

    def __post_init__(self) -> None:
        if self.decimal not in (".", ","):
            raise TickflagError(f"decimal character {self.decimal!r}: use . or ,")
        if self.thousands == self.decimal or len(self.thousands) > 1 or self.thousands.isalnum():
            raise TickflagError(
                f"character between thousands {self.thousands!r}: use one that is neither that before decimals "
                f"({self.decimal}) nor a letter or digit"
            )

    def plain(self, texts: Any) -> Any:
        """The texts with a point before decimals and nothing between thousands. Others stay, and are no numbers."""
        if self == NumberForm():
            return texts
        compute = arrow().compute
        point, comma = re.escape(self.decimal), re.escape(self.thousands)
        whole = rf"\d{{1,3}}(?:{comma}\d{{3}})+|\d+" if self.thousands else r"\d+"
        fits = compute.match_substring_regex(texts, rf"^[+-]?(?:{whole})?(?:{point}\d*)?(?:[eE][+-]?\d+)?$")
        if self.thousands:
            texts = compute.if_else(fits, compute.replace_substring(texts, self.thousands, ""), texts)
        plain = compute.replace_substring(texts, self.decimal, ".")
        # A point that is not the one before decimals would else be taken for it.
        return compute.if_else(fits, plain, compute.binary_join_element_wise(texts, "", " "))
