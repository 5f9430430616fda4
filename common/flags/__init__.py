"""Feature flags: what is on for whom, decided the same way in every process.

The collector owns the document, and publishes the rules that count now; each process compiles them to a table.
"""

from common.flags.catalog import BUILT_IN, FlagName, by_symbol
from common.flags.document import Change, Document, Flag, explained
from common.flags.ramp import Ramp, Stage, Step
from common.flags.rules import Arm, Decision, Rule
from common.flags.table import FlagTable, SymbolTable, compiled, rules_of

__all__ = [
    "BUILT_IN",
    "Arm",
    "Change",
    "Decision",
    "Document",
    "Flag",
    "FlagName",
    "FlagTable",
    "Ramp",
    "Rule",
    "Stage",
    "Step",
    "SymbolTable",
    "by_symbol",
    "compiled",
    "explained",
    "rules_of",
]
