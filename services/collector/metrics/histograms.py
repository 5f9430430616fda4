"""Histograms as Prometheus metrics."""

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric

from tickflag.common.histogram import Counts
from tickflag.common.units import NS_PER_S

LABELLED_PER_PART = 10  # some hundred samples, so that a part takes less than a millisecond


def histogram_families(
    name: str, meaning: str, bounds_ns: tuple[int, ...], counts: Mapping[tuple[str, ...], Counts]
) -> Iterator[Metric]:
    """The metric in one part or several, of which all but the last have ten entries of `counts`: (trader,) -> counts,
    or () -> counts for a metric without labels. Counts of other bounds are left out."""
    bounds = [str(bound / NS_PER_S) for bound in bounds_ns] + ["+Inf"]
    known = [(labels, one) for labels, one in counts.items() if len(one.buckets) == len(bounds)]
    for start in range(0, max(len(known), 1), LABELLED_PER_PART):
        part = known[start : start + LABELLED_PER_PART]
        family = HistogramMetricFamily(name, meaning, labels=["trader"][: len(part[0][0])] if part else [])
        for labels, one in part:
            family.add_metric(labels, list(zip(bounds, accumulate(one.buckets), strict=True)), one.sum_ns / NS_PER_S)
        yield family
