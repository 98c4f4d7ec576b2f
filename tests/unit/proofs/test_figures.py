"""The numbers of a run, and the reading of its logs."""

import copy
import json
from pathlib import Path

from honest_run import HONEST

from loadtest.checker import figures, read_log
from loadtest.latency import percentiles


def test_the_figures_of_a_run() -> None:
    statuses = {"bounced": 6, "complained": 2, "delivered": 4, "sent": 2, "suppressed": 2}
    assert figures(**HONEST) == {
        "emails": 16,
        "accepted": 14,
        "terminal": 14,
        "lost": 0,
        "duplicates": 0,
        "by_status": statuses,
        "webhooks": {"expected": len(HONEST["receiver"]), "verified": len(HONEST["receiver"])},
        "latency_ms": {
            "accept_to_ses": {"p50": 10.0, "p95": 10.0, "p99": 10.0},
            "event_to_status": {"p50": 20.0, "p95": 20.0, "p99": 20.0},
            "event_to_webhook": {"p50": 30.0, "p95": 30.0, "p99": 30.0},
        },
    }


def test_an_acknowledgement_stamped_late_counts_as_no_time() -> None:
    run = copy.deepcopy(HONEST)
    for ack in run["acks"]:
        ack["t"] += 5
    assert figures(**run)["latency_ms"]["accept_to_ses"]["p99"] == 0.0


def test_percentiles_are_samples_by_nearest_rank() -> None:
    assert percentiles([*range(1, 101)]) == {"p50": 50, "p95": 95, "p99": 99}
    assert percentiles([3.0]) == {"p50": 3.0, "p95": 3.0, "p99": 3.0}
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}


def test_a_log_whose_last_line_was_cut_is_read_up_to_it(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(b'{"a": 1}\nnot json\n{"b": "\xc3')
    assert read_log(log) == [{"a": 1}, "not json"]
    log.write_text(json.dumps({"a": 1}))
    assert read_log(log) == [{"a": 1}]
