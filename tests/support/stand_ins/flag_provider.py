"""A provider of feature flags as a team may have one: OpenFeature's own, in memory, with rules that read a file.

The setting `collector.flag_provider` names `tests.support.stand_ins.flag_provider:provider`; the variable FILE has the
path. The file is JSON: flag -> trader or owner -> value. Where it is not JSON, the provider's server counts as
unreachable.
"""

import json
import os
from pathlib import Path
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

FILE = "FLAGS_OF_THE_TEAM"


def _rules() -> dict[str, dict[str, bool]]:
    rules: dict[str, dict[str, bool]] = json.loads(Path(os.environ[FILE]).read_text())
    return rules


def _resolved(flag: str) -> InMemoryFlag[bool]:
    def evaluate(_flag: Any, context: EvaluationContext) -> FlagResolutionDetails[bool]:
        rule = _rules()[flag]
        for who in (context.targeting_key, context.attributes.get("owner"), "else"):
            if isinstance(who, str) and who in rule:
                return FlagResolutionDetails(rule[who])
        return FlagResolutionDetails(False)

    return InMemoryFlag("off", {"on": True, "off": False}, context_evaluator=evaluate)


def provider() -> InMemoryProvider:
    """Make the provider. It knows the feature flags that the file has at this moment."""
    return InMemoryProvider({flag: _resolved(flag) for flag in _rules()})


not_callable = 3
