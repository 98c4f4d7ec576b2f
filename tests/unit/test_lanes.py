"""What is ours in a message is believed of ourselves only."""

import pytest

from mailpipe.aws.queue import Outgoing, Received
from mailpipe.parking import PAUSED_MS, PROBE, copy_of
from mailpipe.testing import InMemoryQueue
from sender.lanes import Lane, believed

SENDERS = "AROASENDERSENDERSENDE"
SHOP = "AIDASHOPSHOPSHOPSHOPS"
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
    (received,) = await Lane(queue, {SENDERS}).receive(1, wait_s=0)
    assert received.attributes == {"trace": "x"}
    assert {PROBE, PAUSED_MS}.isdisjoint(copy_of(received).attributes)
    await queue.hide([(received.receipt, 0)])
    (received,) = await Lane(queue, None).receive(1, wait_s=0)
    assert received.attributes == MARKED
