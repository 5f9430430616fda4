"""Block: what all blocks of the settings have in common, and the types of values that several of them use."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tickflag.common.units import MS_PER_S, S_PER_DAY

Milliseconds = Annotated[float, Field(ge=0, le=S_PER_DAY * MS_PER_S)]


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
