"""What `make run` shows, as values."""

import io
import json
from pathlib import Path

from rich.console import Console

from infra.local.live import Look, line, screen
from infra.local.observe import QUEUES, Metrics, newest_events
from mailpipe import resources

DEPTHS = dict.fromkeys(QUEUES, 3) | {resources.dead(name): 0 for name in QUEUES}
DEPTHS[resources.dead(resources.WEBHOOKS)] = 2


def metrics(accepted: float, latency_s: float) -> Metrics:
    """A reading."""
    return Metrics(
        {
            ("mailpipe_sends_total", ("transactional", "accepted")): accepted,
            ("mailpipe_sends_total", ("transactional", "throttled")): 5.0,
            ("mailpipe_quota_rate", ()): 14.0,
            ("mailpipe_quota_max_24h", ()): -1.0,
            ("mailpipe_quota_binds", ("tenant_cap", "bulk")): 1.0,
            ("mailpipe_quota_binds", ("rate", "bulk")): 0.0,
            ("mailpipe_quota_binds", ("nothing", "transactional")): 1.0,
            ("mailpipe_events_total", ("bounce",)): 7.0,
            ("mailpipe_webhooks_total", ("delivered",)): 11.0,
            ("mailpipe_accept_to_send_seconds_count", ()): accepted,
            ("mailpipe_accept_to_send_seconds_sum", ()): latency_s,
        }
    )


EVENT = {
    "eventType": "Bounce",
    "t": 1_795_514_400.0,
    "recipients": ["a@example.net"],
    "tags": {"email_id": "e1"},
}
LOOK = Look(DEPTHS, metrics(30, 4.0), metrics(10, 1.0), 2.0, (EVENT,))


def test_rates_and_latencies_are_of_the_time_between_two_readings() -> None:
    assert LOOK.rate == 10
    assert LOOK.latency("mailpipe_accept_to_send_seconds") == "150 ms"
    quiet = LOOK._replace(before=LOOK.now)
    assert (quiet.rate, quiet.latency("mailpipe_accept_to_send_seconds")) == (0, "133 ms")
    assert LOOK.latency("mailpipe_send_seconds") == "-"


def test_the_line_says_it_all() -> None:
    said = line(LOOK)
    for part in ("mail-bulk 3", "dead 2", "SES 10/s of 14", "bounce 7", "webhooks 11", "150 ms"):
        assert part in said


def test_what_holds_mail_up_is_named_with_its_lane() -> None:
    assert LOOK.binds() == "bulk: tenant cap"
    assert LOOK._replace(now=Metrics()).binds() == "nothing"
    assert "held up by bulk: tenant cap" in line(LOOK)


def test_the_screen_says_it_too_and_shows_the_newest_events() -> None:
    output = io.StringIO()
    Console(file=output, width=120).print(screen(LOOK))
    said = output.getvalue()
    for part in (
        "mail-transactional",
        "unlimited",
        "throttled",
        "150 ms",
        "Bounce",
        "e1",
        "mail up: bulk",
    ):
        assert part in said
    assert "a@example.net" in said


def test_the_newest_events_are_the_last_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "ses.jsonl"
    lines = [{**EVENT, "kind": "event", "t": number} for number in range(500)]
    text = "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in lines)
    log.write_text(text + '{"kind":"attempt"}\n{"kind":"event","t":9')
    assert [one["t"] for one in newest_events(log, 3)] == [497, 498, 499]
