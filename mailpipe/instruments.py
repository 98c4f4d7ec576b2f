"""Counters and histograms for what happens with every mail.

prometheus_client's own take a lock for each change, which costs a mail more than its line in the
log. These take none: of two threads that count the same at the same instant one may not be counted.
What is exposed, and how, is prometheus_client's.
"""

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from math import inf
from typing import Generic, TypeVar

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

C = TypeVar("C")


class Count:
    """How often something has happened."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Once more, or so many times."""
        self.value += amount


class Distribution:
    """How many values fell into each bucket, and their sum; `bounds` are the buckets' upper ones,
    the last of them infinite.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * len(bounds)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class _Labelled(Collector, Generic[C]):
    """A metric with a child for each combination of labels; without labels there is one child, from
    the start.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        *,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._about = name, documentation
        self._labelnames = labelnames
        self._children = dict[tuple[str, ...], C]()
        if not labelnames:
            self.labels()
        registry.register(self)

    def labels(self, *values: str) -> C:
        """The child of these values, one for each name; to be kept by who needs it often."""
        child = self._children.get(values)
        if child is None:
            if len(values) != len(self._labelnames):
                raise ValueError(f"{self._about[0]} takes the labels {self._labelnames}")
            child = self._children.setdefault(values, self._new())  # of two threads, too, one
        return child

    @abstractmethod
    def _new(self) -> C: ...


class Counter(_Labelled[Count]):
    """See prometheus_client's."""

    def inc(self, amount: float = 1) -> None:
        """Of one without labels."""
        self.labels().inc(amount)

    def collect(self) -> list[Metric]:
        """What is exposed."""
        family = CounterMetricFamily(*self._about, labels=self._labelnames)
        for values, child in self._children.copy().items():
            family.add_metric(values, child.value)
        return [family]

    def _new(self) -> Count:
        return Count()


class Histogram(_Labelled[Distribution]):
    """See prometheus_client's; `buckets` are their upper bounds, without the infinite one."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._bounds = [*map(float, buckets), inf]
        super().__init__(name, documentation, labelnames, registry=registry)

    def observe(self, value: float) -> None:
        """Of one without labels."""
        self.labels().observe(value)

    def collect(self) -> list[Metric]:
        """What is exposed, where a bucket holds what is in those below it, too."""
        family = HistogramMetricFamily(*self._about, labels=self._labelnames)
        for values, child in self._children.copy().items():
            up_to, buckets = 0, list[tuple[str, float]]()
            for bound, count in zip(child.bounds, child.counts, strict=True):
                up_to += count
                buckets.append(("+Inf" if bound == inf else str(bound), up_to))
            family.add_metric(values, buckets, child.sum)
        return [family]

    def _new(self) -> Distribution:
        return Distribution(self._bounds)
