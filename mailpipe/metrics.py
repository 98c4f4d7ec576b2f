"""Every metric, with kind, unit and meaning. Labels come from fixed sets: no tenant, no address.

Where labels are known at the start, children are bound there; elsewhere `bound` remembers them:
looking one up costs more than counting.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from prometheus_client import Gauge

from mailpipe.instruments import Counter, Histogram

_LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

# --- every process --------------------------------------------------------------------------------
PROCESS_TIME = Gauge(
    "mailpipe_process_time_seconds", "CPU time of this process, to the microsecond"
)
PROCESS_TIME.set_function(time.process_time)
MESSAGES = Counter(
    "mailpipe_messages_total",
    "Messages handled, by outcome (done, retry, dead, park)",
    ["queue", "outcome"],
)
HANDLE_SECONDS = Histogram(
    "mailpipe_handle_seconds", "From receive to outcome of a message", ["queue"], buckets=_LATENCY_S
)
IN_HAND = Gauge("mailpipe_in_hand", "Messages received and not finished", ["queue"])
OLDEST_RECEIVED = Gauge(
    "mailpipe_oldest_received_seconds", "Age of the oldest message of the last poll", ["queue"]
)
QUEUE_FAULTS = Counter(
    "mailpipe_queue_faults_total", "Queue calls or entries that failed", ["queue", "operation"]
)

AWS_CALL_SECONDS = Histogram(
    "mailpipe_aws_call_seconds",
    "Duration of a call to AWS, failed ones too (a long poll waits in it)",
    ["service", "operation"],
    buckets=_LATENCY_S,
)
AWS_FAILURES = Counter(
    "mailpipe_aws_failures_total",
    "Calls to AWS that failed, by kind (outcomes.Kind)",
    ["service", "operation", "kind"],
)
BATCH_ENTRIES = Histogram(
    "mailpipe_batch_entries",
    "Entries that shared a call",
    ["operation"],
    buckets=(1, 2, 3, 5, 8, 10, 15, 25, 50, 100),
)
RENEWED = Counter("mailpipe_renewed_total", "Messages whose visibility was renewed in hand")
LOOP_LAG = Histogram(
    "mailpipe_loop_lag_seconds",
    "How late the event loop came to a timer: what it does at once stalls everything else",
    buckets=_LATENCY_S,
)

PARKED = Counter(
    "mailpipe_parked_total",
    "Messages that wait outside their queue, by what for (time, account, set, identity, domain, "
    "tenant)",
    ["kind"],
)
RELEASED = Counter(
    "mailpipe_released_total", "Parked messages that went back to their queue", ["kind"]
)
PARKED_OLDEST = Gauge(
    "mailpipe_parked_oldest_seconds",
    "Age of the oldest mail that is parked; of kind time: how late it is. The holder of the lease "
    "tells",
    ["kind"],
)
SET_ASIDE = Counter(
    "mailpipe_set_aside_total",
    "Parked messages that can never go on (body_missing, unreadable, refused by SQS, no_queue): an "
    "alarm",
    ["why"],
)
COPIED = Counter(
    "mailpipe_copied_total",
    "Messages sent anew before their queue's retention deletes them",
    ["queue"],
)
SIDE_TASK_SUCCESS = Gauge(
    "mailpipe_side_task_last_success_seconds",
    "When this process, holding the lease, last did this task (seconds since 1970)",
    ["task"],
)

# --- ingest ---------------------------------------------------------------------------------------
REQUESTS = Counter("mailpipe_requests_total", "HTTP requests answered", ["route", "status"])
REQUEST_SECONDS = Histogram(
    "mailpipe_request_seconds", "Time to answer an HTTP request", ["route"], buckets=_LATENCY_S
)
FOREIGN_KEYS = Counter(
    "mailpipe_foreign_keys_total",
    "Idempotency keys whose id another tenant's mail has taken (an alarm)",
)

# --- sender ---------------------------------------------------------------------------------------
SENDS = Counter("mailpipe_sends_total", "Calls to SES, by lane and answer", ["lane", "answer"])
SENT_UNWRITTEN = Counter(
    "mailpipe_sent_unwritten_total",
    "Failed tries to write that SES has accepted a mail, each repeated: see DynamoDB (an alarm)",
)
SEND_SECONDS = Histogram("mailpipe_send_seconds", "Duration of a call to SES", buckets=_LATENCY_S)
ACCEPT_TO_SEND = Histogram(
    "mailpipe_accept_to_send_seconds",
    "From acceptance (or sendAt) to SES's yes",
    ["lane"],
    buckets=_LATENCY_S,
)
ENDED_UNSENT = Counter("mailpipe_ended_unsent_total", "Mails ended without SES", ["status"])
LEFT_OVER = Counter(
    "mailpipe_left_over_total", "Copies of mail for later that found no record long after its time"
)
DISTRUSTED = Counter(
    "mailpipe_distrusted_total",
    "Mails quarantined for their tenant (unknown_tenant, disabled_tenant, forged: an alarm)",
    ["reason"],
)
CLAIMS = Counter("mailpipe_claims_total", "Answers to a claim", ["answer"])
DOUBTS = Counter(
    "mailpipe_doubts_total",
    "Sends in doubt that no event has proved (resend, unknown)",
    ["verdict"],
)
DOUBTS_WITHOUT_EVIDENCE = Counter(
    "mailpipe_doubts_without_evidence_total",
    "Doubts decided although events may still come: see the event lag (an alarm)",
)
DOUBT_OLDEST = Gauge(
    "mailpipe_doubt_oldest_seconds",
    "Since the lease of the oldest send in doubt that this sender has put off is over",
)
SLOTS_MISSED = Counter("mailpipe_slots_missed_total", "Send slots dropped because they were missed")
QUOTA_FACTOR = Gauge("mailpipe_quota_factor", "Part of the rate that SES's throttles leave")
QUOTA_UNREACHABLE = Gauge(
    "mailpipe_quota_store_unreachable", "1 while the item of send slots does not answer (an alarm)"
)
SLOT_ITEMS_MADE = Counter(
    "mailpipe_quota_items_made_total",
    "Shared items of send slots that were not there (account: at the first start, or deleted)",
    ["item"],
)
RESERVE_FAILURES = Counter(
    "mailpipe_quota_write_failures_total", "Failed writes to items of send slots", ["kind"]
)
QUOTA_BINDS = Gauge(
    "mailpipe_quota_binds", "1 for what keeps a lane's mail waiting now, 0 else", ["lane", "binds"]
)
QUOTA_IN_USE = Gauge(
    "mailpipe_quota_in_use", "Recipients a second that got a slot lately, by lane", ["lane"]
)
QUOTA_WAITING = Gauge("mailpipe_quota_waiting", "Mails that wait for a slot in hand", ["lane"])
QUOTA_WAIT = Histogram(
    "mailpipe_quota_wait_seconds",
    "How long a mail in hand waited for its slot",
    ["lane"],
    buckets=_LATENCY_S,
)
QUOTA_SLOTS = Counter(
    "mailpipe_quota_slots_total",
    "Send slots reserved (granted), given to a mail (used), passed by before one came (lost); "
    "reservations refused",
    ["lane", "fate"],
)
QUOTA_EXCESS = Counter(
    "mailpipe_quota_excess_total", "Mails given back: their tenant had its share in hand", ["lane"]
)
QUOTA_RATE = Gauge("mailpipe_quota_rate", "Recipients a second that SES allows this account")
QUOTA_SENT_24H = Gauge("mailpipe_quota_sent_24h", "Recipients that SES counted in 24 hours")
QUOTA_MAX_24H = Gauge("mailpipe_quota_max_24h", "Recipients that SES allows in 24 hours")
QUOTA_SENDERS = Gauge("mailpipe_quota_senders", "Senders that lived when the quota was last read")
QUOTA_BOARD_AGE = Gauge(
    "mailpipe_quota_board_age_seconds", "Since this sender has last read the board"
)
SCOPE_KINDS = ("account", "set", "identity", "domain", "tenant")
QUOTA_PAUSED = Gauge(
    "mailpipe_quota_paused", "Scopes whose mail waits, by kind (an alarm)", ["kind"]
)
QUOTA_PAUSES = Counter(
    "mailpipe_quota_pauses_total",
    "Scopes that this sender has paused after an answer of SES (an alarm)",
    ["reason"],
)
SES_REFUSES = Gauge(
    "mailpipe_ses_refuses_process",
    "1 while SES refuses this sender's role or credentials (an alarm)",
)
QUOTA_PROBES = Counter(
    "mailpipe_quota_probes_total",
    "Mails that tried whether a pause is over, by what they showed (passed, refused, nothing)",
    ["result"],
)

CLOCK_OFFSET = Gauge(
    "mailpipe_clock_offset_seconds", "Our clock minus AWS's: the middle of what is possible"
)
CLOCK_WIDTH = Gauge("mailpipe_clock_width_seconds", "How much of the offset is not known")
CLOCK_STATE = Gauge(
    "mailpipe_clock_state",
    "1 for what the clock is: good, unsure (bulk waits), wrong (bulk waits: an alarm)",
    ["state"],
)
CLOCK_CONTRADICTIONS = Counter(
    "mailpipe_clock_contradictions_total",
    "Dates of AWS that cannot be true together with those before: a clock was put right",
)

OPEN_OLDEST = Gauge(
    "mailpipe_open_oldest_seconds",
    "How long the oldest open mail has stood so, by state (docs/behaviour.md). The holder of the "
    "lease `sweep` tells",
    ["state"],
)
OPEN_MAILS = Gauge(
    "mailpipe_open_mails",
    "Open mails of some age that the sweeper has last counted, by state",
    ["state"],
)
SWEPT = Counter(
    "mailpipe_swept_total",
    "Mails that were open for too long, by what was done (expired, unknown, announced, closed, "
    "no_event; failed: tried again; unreadable: an alarm)",
    ["what"],
)

# --- processor ------------------------------------------------------------------------------------
EVENTS = Counter("mailpipe_events_total", "Events handled, by kind", ["kind"])
EVENT_LAG = Histogram(
    "mailpipe_event_lag_seconds", "From the event's own time to its status", buckets=_LATENCY_S
)
PROCESSOR_UNHEARD = Gauge(
    "mailpipe_processor_unheard",
    "1 while this processor takes no events because its figures cannot be published (an alarm)",
)

# --- notifier -------------------------------------------------------------------------------------
WEBHOOKS = Counter(
    "mailpipe_webhooks_total",
    "Webhook attempts, by result (delivered, retried, exhausted)",
    ["result"],
)
WEBHOOK_SECONDS = Histogram(
    "mailpipe_webhook_seconds", "Duration of a webhook attempt", buckets=_LATENCY_S
)


@lru_cache(maxsize=1024)
def bound(metric: Any, *labels: str) -> Any:
    """The child of a metric for these labels (from fixed sets, so few)."""
    return metric.labels(*labels)


class Told:
    """A gauge of which the holder of a lease tells (seconds, or a number). What is older than
    `FRESH_S` counts no more: another process may hold the lease by now.
    """

    FRESH_S = 120.0

    def __init__(self, gauge: Gauge, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._value = 0.0
        self._until_s = clock()
        gauge.set_function(self._now)

    def set(self, value: float) -> None:
        """It is so now."""
        self._value = value
        self._until_s = self._clock() + self.FRESH_S

    def _now(self) -> float:
        return self._value if self._clock() < self._until_s else 0.0
