"""What is ours in a message is believed of ourselves only."""

import pytest
from msgspec.structs import replace

from mailpipe.aws.queue import Outgoing, Received
from mailpipe.messages import Email, EmailMessage, encode
from mailpipe.outcomes import Park, Retry
from mailpipe.parking import PAUSED_MS, PROBE, copy_of
from mailpipe.testing import InMemoryQueue
from sender.lanes import Home, Lane, believed

SENDERS = "AROASENDERSENDERSENDE"
SHOP = "AIDASHOPSHOPSHOPSHOPS"
BULK = encode(
    EmailMessage(
        email_id="01a20fc5-ac69-75b1-a978-1d85d43bb628",
        tenant="default",
        stream="bulk",
        queued_at="2026-11-24T10:00:00Z",
        email=Email(to=["a@b.example"], from_="c@d.example", subject="s", body_text="t"),
    )
)
MARKED = {PROBE: "account", PAUSED_MS: "86400000", "trace": "x"}


def sent_by(sender_id: str | None) -> Received:
    return Received("m1", "r1", "{}", 1, 0, attributes=dict(MARKED), sender_id=sender_id)


@pytest.mark.parametrize(
    ("sender_id", "trusted", "expected"),
    [
        (f"{SENDERS}:task-1", {SENDERS}, MARKED),
        (SENDERS, {SENDERS}, MARKED),
        (SHOP, {SENDERS}, {"trace": "x"}),
        (f"{SHOP}:{SENDERS}", {SENDERS}, {"trace": "x"}),
        (None, {SENDERS}, {"trace": "x"}),
        ("", {SENDERS}, {"trace": "x"}),
        (None, None, MARKED),
        (SHOP, None, MARKED),
    ],
)
def test_marks_count_only_when_ourselves_have_sent_the_message(
    sender_id: str | None, trusted: set[str] | None, expected: dict[str, str]
) -> None:
    assert believed(sent_by(sender_id), trusted).attributes == expected


async def test_what_a_lane_gives_out_can_be_copied_and_stays_without_them() -> None:
    queue = InMemoryQueue("mail-bulk")
    await queue.send([Outgoing("{}", attributes=MARKED)])
    (received,) = await Lane(queue, {SENDERS}, urgent=queue).receive(1, wait_s=0)
    assert received.attributes == {"trace": "x"}
    assert {PROBE, PAUSED_MS}.isdisjoint(copy_of(received).attributes)
    await queue.hide([(received.receipt, 0)])
    (received,) = await Lane(queue, None, urgent=queue).receive(1, wait_s=0)
    assert received.attributes == MARKED


async def test_a_probe_does_not_wait_behind_its_lane_s_backlog() -> None:
    bulk, urgent = InMemoryQueue("mail-bulk"), InMemoryQueue("mail-transactional")
    lane = Lane(bulk, None, urgent=urgent)
    await lane.send([Outgoing("mail")])
    await lane.send([Outgoing("probe", attributes={PROBE: "account"})])
    found = [await one.receive(10, wait_s=0) for one in (bulk, urgent)]
    assert [[one.body for one in messages] for messages in found] == [["mail"], ["probe"]]


class Parked:
    """Notes which queue a message is parked for."""

    def __init__(self) -> None:
        self.queues = list[str]()

    def instead_of(self, retry: Retry, message: Received, queue: str) -> Park | None:
        return None

    async def park(self, message: Received, queue: str, park: Park) -> None:
        self.queues.append(queue)


@pytest.mark.parametrize(
    ("body", "attributes", "queue"),
    [
        (BULK, {PROBE: "account"}, "mail-bulk"),
        (BULK, {}, "mail-transactional"),
        ("{", {PROBE: "account"}, "mail-transactional"),
    ],
)
async def test_a_probe_is_parked_as_mail_of_its_own_lane(
    body: str, attributes: dict[str, str], queue: str
) -> None:
    parked = Parked()
    message = replace(sent_by(None), body=body, attributes=attributes)
    await Home(parked).park(message, "mail-transactional", Park("account", "x"))
    assert parked.queues == [queue]
