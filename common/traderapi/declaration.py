"""Trader: what a plugin declares about itself."""

import keyword
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tickflag.common.segment.layout import CANDLE_FIELDS
from tickflag.common.units import S_PER_DAY

CANDLE_COLUMNS = CANDLE_FIELDS
API_VERSION = 1

_Whole = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
_Number = Annotated[bool, Field(strict=True)] | _Whole | Annotated[float, Field(strict=True, allow_inf_nan=True)]


class Trader(BaseModel):
    """One screening rule's name and needs. A wrong value is refused with the field's name."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    """Unique: lower-case letters, digits, `_`, `.`, `-`."""
    owner: Annotated[str, Field(max_length=128)] = ""
    description: Annotated[str, Field(max_length=4096)] = ""
    watch: list[str] = ["*"]
    """Patterns (`*`, `?`, `[abc]`) of the symbols that may match."""
    exclude: list[str] = []
    """Patterns of symbols that never match."""
    channel: str = "ticker"
    """What wakes the trader: `ticker` (any change), or an interval as `5m` (a candle closed)."""
    candles: str | None = None
    """Interval of the candles to look at, as `5m`."""
    look_back: Annotated[int, Field(ge=0, le=100_000)] = 0
    """How many candles to look at."""
    columns: tuple[Literal["time", "open", "high", "low", "close", "volume", "trades"], ...] = (
        "open",
        "high",
        "low",
        "close",
        "volume",
    )
    """Which candle columns to copy; fewer are faster."""
    forming: bool = False
    """The last candle is the forming one, where there is one; otherwise all are closed."""
    every_close: bool = False
    """Evaluate each candle that closed since the last evaluation, oldest first; otherwise only the latest."""
    min_interval: Annotated[float, Field(ge=0, le=S_PER_DAY)] = 0.0
    """Seconds: evaluate at most this often. What changes sooner is evaluated when the time is over."""
    every: Annotated[float, Field(ge=0, le=S_PER_DAY)] = 0.0
    """Seconds: evaluate all symbols this often as well. For rules that depend on the time; 0 is never."""
    scope: Literal["symbol", "references", "market"] = "symbol"
    """`symbol`: a symbol's match depends on that symbol only. `references`: on those in `references` as well.
    `market`: on all, as a ranking's does."""
    references: list[str] = []
    """Symbols that every match depends on, for the scope of that name. When one changes, all are evaluated."""
    state: dict[str, _Number] = {}
    """Numbers to remember for each symbol, with their initial values: true or false, whole, or with a fraction."""
    flags: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")], Annotated[bool, Field(strict=True)]] = {}
    """Feature flags of its own, with their defaults; `market.on(name)` tells what one is now."""
    score_step: Annotated[float, Field(ge=0)] = 0.0
    """Score changes up to this much are no signals."""
    version: Annotated[str, Field(max_length=64)] = ""
    """Shown in the list of traders; without one, a short hash of the file or the package's version."""
    api: int = API_VERSION
    """Version of this interface that the trader is written for."""

    @model_validator(mode="after")
    def _candles_complete(self) -> "Trader":
        if (self.candles is None) != (self.look_back == 0):
            raise ValueError("`candles` and `look_back` go together")
        if self.candles is not None and not self.columns:
            raise ValueError("`columns` names no candle column")
        if self.every_close and (self.channel != self.candles or self.forming):
            raise ValueError("`every_close` is for closed candles: set `channel` to the interval of `candles`")
        return self

    @model_validator(mode="after")
    def _scope_complete(self) -> "Trader":
        if (self.scope == "references") != bool(self.references):
            raise ValueError('`references` and the scope "references" go together')
        if self.scope == "market" and (self.state or self.every_close):
            raise ValueError(
                'the scope "market" has neither `state` nor `every_close`: it sees all rows at every change'
            )
        return self

    @field_validator("api")
    @classmethod
    def _api_known(cls, version: int) -> int:
        if version != API_VERSION:
            raise ValueError(f"version {version} is not known here: this tickflag has version {API_VERSION}")
        return version

    @field_validator("state")
    @classmethod
    def _state_named(cls, state: dict[str, _Number]) -> dict[str, _Number]:
        for name in state:
            if not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name):
                raise ValueError(f"{name!r} is no name for a number: letters, digits and `_`, a letter first")
        return state
