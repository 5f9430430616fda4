"""Two distributions, compared with the tables of every textbook."""

import pytest

from tickflag.services.collector.experiments.distributions import chi_square_p, student_95


@pytest.mark.parametrize(
    ("degrees", "factor"),
    [
        (1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706), (10, 2.2281), (11, 2.2010), (12, 2.1788),
        (20, 2.0860), (30, 2.0423), (60, 2.0003), (120, 1.9799), (1_000_000, 1.9600),
    ],
)  # fmt: skip
def test_student(degrees: int, factor: float) -> None:
    """The factors of 95 % intervals are those of the table and of the expansion behind it."""
    assert student_95(degrees) == pytest.approx(factor, abs=6e-5)


@pytest.mark.parametrize(
    ("statistic", "degrees", "p"),
    [
        (2.7055, 1, 0.1), (3.8415, 1, 0.05), (6.6349, 1, 0.01), (10.8276, 1, 0.001), (5.9915, 2, 0.05),
        (13.8155, 2, 0.001), (7.8147, 3, 0.05), (16.2662, 3, 0.001), (9.4877, 4, 0.05), (11.0705, 5, 0.05),
        (18.3070, 10, 0.05), (29.5883, 10, 0.001), (124.3421, 100, 0.05),
    ],
)  # fmt: skip
def test_chi_square(statistic: float, degrees: int, p: float) -> None:
    """The critical values are right for odd and even degrees of freedom."""
    assert chi_square_p(statistic, degrees) == pytest.approx(p, rel=1e-3)


@pytest.mark.parametrize("degrees", [1, 2, 7, 8])
def test_chi_square_at_its_ends(degrees: int) -> None:
    """A statistic of 0 has p = 1; an immense one has p = 0."""
    assert chi_square_p(0.0, degrees) == 1.0
    assert chi_square_p(1e6, degrees) == 0.0
    assert chi_square_p(1e-12, degrees) == pytest.approx(1.0, abs=1e-5)
