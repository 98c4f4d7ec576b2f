"""Our counters and histograms expose what prometheus_client's would."""

import threading
from concurrent.futures import ThreadPoolExecutor

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from mailpipe.instruments import Count, Counter, Histogram

NAMES = ["queue", "outcome"]
LABELS = st.tuples(st.sampled_from(["a", 'b"\n']), st.sampled_from(["done", "dead"]))
BOUNDS = (0.005, 0.25, 1, 2.5, 300)
VALUES = st.floats(-1, 1000) | st.sampled_from(BOUNDS)


def exposed(registry: CollectorRegistry) -> list[str]:
    """The lines of an exposition, without the times of birth, which ours do not tell."""
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line)


@given(st.lists(st.tuples(LABELS, st.integers(0, 5) | st.floats(0, 9))))
def test_counter(counted: list[tuple[tuple[str, str], float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Counter("sends_total", "Sends", NAMES, registry=ours)
    library = prometheus_client.Counter("sends_total", "Sends", NAMES, registry=theirs)
    for labels, amount in counted:
        mine.labels(*labels).inc(amount)
        library.labels(*labels).inc(amount)
    assert exposed(ours) == exposed(theirs)


@given(st.lists(st.tuples(LABELS, VALUES)))
def test_histogram(observed: list[tuple[tuple[str, str], float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Histogram("wait_seconds", "Waits", NAMES, buckets=BOUNDS, registry=ours)
    library = prometheus_client.Histogram(
        "wait_seconds", "Waits", NAMES, buckets=BOUNDS, registry=theirs
    )
    for labels, value in observed:
        mine.labels(*labels).observe(value)
        library.labels(*labels).observe(value)
    assert exposed(ours) == exposed(theirs)


def test_without_labels_there_is_a_value_from_the_start() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Counter("starts_total", "Starts", registry=ours)
    library = prometheus_client.Counter("starts_total", "Starts", registry=theirs)
    mine_s = Histogram("lag_seconds", "Lag", buckets=BOUNDS, registry=ours)
    library_s = prometheus_client.Histogram("lag_seconds", "Lag", buckets=BOUNDS, registry=theirs)
    assert exposed(ours) == exposed(theirs)
    for count, seconds in ((mine, mine_s), (library, library_s)):
        count.inc()
        seconds.observe(0.3)
    assert exposed(ours) == exposed(theirs)


def test_labels_are_one_for_each_name() -> None:
    counter = Counter("faults_total", "Faults", NAMES, registry=CollectorRegistry())
    with pytest.raises(ValueError, match="faults_total"):
        counter.labels("mail-bulk")


def test_threads_that_ask_at_once_count_in_the_same_child() -> None:
    counter = Counter("faults_total", "Faults", NAMES, registry=CollectorRegistry())
    born, new = threading.Barrier(2), counter._new

    def slowly() -> Count:
        born.wait(5)
        return new()

    counter._new = slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(counter.labels, ["a", "a"], ["done", "done"])
    assert one is other
