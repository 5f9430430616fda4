"""Feature flags: what is on for whom, decided the same way in every process.

In: the collector's document or the rules it published. Out: decisions, and tables of them by trader or symbol.
"""

from tickflag.common.flags.catalog import BUILT_IN, SYMBOL_RATE_LIMIT, FlagName, by_symbol
from tickflag.common.flags.document import Flag, FlagChange, FlagDocument, explained
from tickflag.common.flags.ramp import Ramp, RampStage, RampStep
from tickflag.common.flags.rules import Arm, Decision, Rule
from tickflag.common.flags.table import FlagTable, SymbolFlagTable, compiled, rules_of
from tickflag.common.flags.words import in_words

__all__ = [
    "BUILT_IN",
    "SYMBOL_RATE_LIMIT",
    "Arm",
    "Decision",
    "Flag",
    "FlagChange",
    "FlagDocument",
    "FlagName",
    "FlagTable",
    "Ramp",
    "RampStage",
    "RampStep",
    "Rule",
    "SymbolFlagTable",
    "by_symbol",
    "compiled",
    "explained",
    "in_words",
    "rules_of",
]
