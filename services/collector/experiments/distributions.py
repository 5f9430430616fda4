"""The few numbers of Student's t and the chi-square distribution that experiments need. Pure functions."""

from math import erfc, exp, lgamma, log, sqrt

_NORMAL = 1.959963984540054
_STUDENT = (
    12.706204736, 4.302652730, 3.182446305, 2.776445105, 2.570581836,
    2.446911851, 2.364624252, 2.306004135, 2.262157163, 2.228138852,
)  # fmt: skip


def student_95(degrees: int) -> float:
    """How many standard errors on either side hold 95 % of Student's t distribution. `degrees` is at least 1.

    Sources: Abramowitz and Stegun, Handbook of Mathematical Functions, table 26.10, and beyond it the expansion 26.7.5,
    which is exact to five digits there.
    """
    if degrees <= len(_STUDENT):
        return _STUDENT[degrees - 1]
    x = _NORMAL
    terms: tuple[float, ...] = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1_482 * x**5 - 1_920 * x**3 - 945 * x) / 92_160,
    )
    return x + sum(term / float(degrees) ** power for power, term in enumerate(terms, 1))


def chi_square_p(statistic: float, degrees: int) -> float:
    """The probability that chance alone gives a chi-square statistic at least as large.

    It is the regularised incomplete gamma function Q(degrees / 2, statistic / 2). Source: NIST Digital Library of
    Mathematical Functions, 8.8.6, Q(a + 1, z) = Q(a, z) + z^a e^-z / Gamma(a + 1), from Q(1/2, z) = erfc(sqrt z) or
    Q(1, z) = e^-z on.
    """
    z = statistic / 2
    if z <= 0.0:
        return 1.0
    a, q = (0.5, erfc(sqrt(z))) if degrees % 2 else (1.0, exp(-z))
    while a < degrees / 2:
        q += exp(a * log(z) - z - lgamma(a + 1))
        a += 1
    return min(q, 1.0)
