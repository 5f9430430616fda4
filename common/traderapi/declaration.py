"""Trader: what a plugin declares about itself."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.layout import CANDLE_FIELDS

CANDLE_COLUMNS = CANDLE_FIELDS


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
    """The last candle is the one being formed, where there is one; otherwise all are closed."""
    scope: Literal["symbol", "market"] = "symbol"
    """`symbol`: a symbol's match depends on that symbol only. `market`: on all, as a ranking's does."""
    score_step: Annotated[float, Field(ge=0)] = 0.0
    """Score changes up to this much are no signals."""
    version: Annotated[str, Field(max_length=64)] = ""
    """Shown in the list of traders; else a short hash of the file, or the package's version."""

    @model_validator(mode="after")
    def _candles_complete(self) -> "Trader":
        if (self.candles is None) != (self.look_back == 0):
            raise ValueError("`candles` and `look_back` go together")
        if self.candles is not None and not self.columns:
            raise ValueError("`columns` names no candle column")
        return self
