"""FlagProvider: the feature flags for programs that use OpenFeature. Needs the extra `flags` (openfeature-sdk).

    api.set_provider(FlagProvider(lambda: rules_of(control.features)))
    api.get_client().get_boolean_value("my_flag", False, EvaluationContext("rsi", {"owner": "desk-a"}))

The targeting key is the trader (or symbol). All feature flags are boolean; the variant is the arm, else `on` or `off`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TargetingKeyMissingError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from tickflag.common.flags.rules import Rule

_REASONS = {
    "killed": Reason.DISABLED,
    "forced": Reason.TARGETING_MATCH,
    "owner": Reason.TARGETING_MATCH,
    "percentage": Reason.SPLIT,
    "default": Reason.DEFAULT,
}


class FlagProvider(AbstractProvider):
    """Decides each question by the rules that `rules` gives at that moment. Thread-safe if `rules` is."""

    def __init__(self, rules: Callable[[], Mapping[str, Rule]]) -> None:
        super().__init__()
        self._rules = rules

    def get_metadata(self) -> Metadata:
        return Metadata(name="tickflag")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """The decision for the context. Raises FlagNotFoundError, and TargetingKeyMissingError where a percentage
        needs an identity."""
        rule = self._rules().get(flag_key)
        if rule is None:
            raise FlagNotFoundError(f"no feature flag {flag_key!r}")
        context = evaluation_context or EvaluationContext()
        owner = context.attributes.get("owner", "")
        decision = rule.decide(flag_key, context.targeting_key or "", owner if isinstance(owner, str) else "")
        if decision.reason == "no identity":
            raise TargetingKeyMissingError(f"feature flag {flag_key!r} goes by percentage: give the trader's name")
        variant = decision.arm or ("on" if decision.value else "off")
        metadata = {} if decision.bucket is None else {"bucket": decision.bucket}
        return FlagResolutionDetails(
            decision.value, reason=_REASONS[decision.reason], variant=variant, flag_metadata=metadata
        )

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        _refuse(flag_key)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        _refuse(flag_key)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        _refuse(flag_key)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Any]:
        _refuse(flag_key)


def _refuse(flag_key: str) -> NoReturn:
    raise TypeMismatchError(f"feature flag {flag_key!r} is boolean")
