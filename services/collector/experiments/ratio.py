"""Ratios of two sums over the same units, and comparisons of two such ratios, with 95 % intervals. Pure.

A unit is what chance chose: a trader in an arm, or a cycle that was audited. The numbers of a unit enter as one value,
so numbers that are alike within a unit make no interval narrower.

The variance of a ratio of sums is that of the delta method, from the residuals x - r y. Source: Cochran, Sampling
Techniques, 3rd edition, section 2.11; Deng, Knoblich and Lu, Applying the Delta Method in Metric Analytics, KDD 2018.
The interval is taken of the logarithm, so that it never goes below 0, and A against B is the inverse of B against A.
"""

from dataclasses import dataclass
from math import exp, sqrt
from typing import Annotated, NamedTuple

from pydantic import Field

from tickflag.common.wire.messages import Count
from tickflag.services.collector.experiments.distributions import chi_square_p, student_95

FEWEST_EXPECTED = 5.0
"""The test holds only where at least this many units are expected in each arm.

Source: Cochran, Some Methods for Strengthening the Common Chi-square Tests, Biometrics 1954."""

Total = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(slots=True)
class Moments:
    """Sums over units with a numerator x and a denominator y. A ratio and its interval depend on nothing else."""

    n: Count = 0
    x: Total = 0.0
    y: Total = 0.0
    xx: Total = 0.0
    yy: Total = 0.0
    xy: Total = 0.0

    def add(self, x: float, y: float) -> None:
        """Add a unit."""
        self.n += 1
        self.x += x
        self.y += y
        self.xx += x * x
        self.yy += y * y
        self.xy += x * y

    def join(self, other: "Moments") -> None:
        """Add all units of the other moments."""
        self.n += other.n
        self.x += other.x
        self.y += other.y
        self.xx += other.xx
        self.yy += other.yy
        self.xy += other.xy

    @property
    def ratio(self) -> float | None:
        """The sum of x over the sum of y; None where y is 0."""
        return self.x / self.y if self.y else None

    def log_variance(self) -> float | None:
        """The variance of the ratio's logarithm; None where it cannot be told: fewer than two units, or a sum of 0."""
        if self.n < 2 or not self.x or not self.y:
            return None
        ratio = self.x / self.y
        residuals = self.xx - 2 * ratio * self.xy + ratio * ratio * self.yy
        return max(residuals, 0.0) * self.n / (self.n - 1) / (self.x * self.x)


class Estimate(NamedTuple):
    """A ratio with its 95 % interval; None for a number that the units do not determine."""

    ratio: float | None
    low: float | None = None
    high: float | None = None


class Split(NamedTuple):
    """The outcome of a test whether the units are spread over the arms as they should be."""

    chi_square: float
    degrees: int
    p: float


def estimated(moments: Moments) -> Estimate:
    """The estimate of one ratio."""
    ratio, variance = moments.ratio, moments.log_variance()
    if ratio is None or variance is None:
        return Estimate(ratio)
    return _interval(ratio, variance, moments.n - 1)


def compared(one: Moments, other: Moments) -> Estimate:
    """The ratio of `one`, divided by the ratio of `other`. The two have no unit in common.

    The degrees of freedom are Satterthwaite's, rounded down. Source: Satterthwaite, An Approximate Distribution of
    Estimates of Variance Components, Biometrics Bulletin 1946.
    """
    if one.ratio is None or not other.ratio:
        return Estimate(None)
    ratio = one.ratio / other.ratio
    a, b = one.log_variance(), other.log_variance()
    if a is None or b is None:
        return Estimate(ratio)
    if not a + b:
        return Estimate(ratio, ratio, ratio)
    degrees = (a + b) * (a + b) / (a * a / (one.n - 1) + b * b / (other.n - 1))
    return _interval(ratio, a + b, int(degrees))


def split(counts: list[int], shares: list[int]) -> Split | None:
    """The test whether the counts of units fit the shares; None where fewer than five are expected in an arm.

    Source: Pearson's chi-square test, as Fabijan and others use it in Diagnosing Sample Ratio Mismatch in Online
    Controlled Experiments, KDD 2019.
    """
    units, whole = sum(counts), sum(shares)
    expected = [units * share / whole for share in shares]
    if min(expected) < FEWEST_EXPECTED:
        return None
    statistic = sum((count - mean) ** 2 / mean for count, mean in zip(counts, expected, strict=True))
    degrees = len(counts) - 1
    return Split(statistic, degrees, chi_square_p(statistic, degrees))


def _interval(ratio: float, log_variance: float, degrees: int) -> Estimate:
    width = exp(student_95(degrees) * sqrt(log_variance))
    return Estimate(ratio, ratio / width, ratio * width)
