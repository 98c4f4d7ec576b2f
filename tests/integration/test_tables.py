"""Every write to a record: where its condition holds, where it fails, and without a record."""

import pytest

from mailpipe import records
from mailpipe.aws.table import Applied, Refused
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.partiql import Statement, delete_from
from mailpipe.statements import EmailStatements
from mailpipe.status import CANCELLED, DELIVERED, FAILED, HARD_BOUNCED, SENT, UNKNOWN, Standing
from mailpipe.timing import now_ms
from tests.integration.conftest import PREFIX, Parts, message

WRITES = EmailStatements(PREFIX)
TTL = now_ms() // 1000 + 1000


async def fresh(parts: Parts, **changes: records.Value) -> str:
    """A record as it is born, changed; its id."""
    one = message(to=["a@example.net", "b@example.net"])
    attributes = (
        records.USUAL | records.born(one.email_id, one.tenant, records.fields_of(one)) | changes
    )
    assert await parts.tables.write(WRITES.insert(attributes)) == Applied()
    return one.email_id


def claim(email_id: str, *, attempts: int = 0, token: str = "me") -> Statement:
    return WRITES.claim(
        email_id,
        "default",
        attempts=attempts,
        version=0,
        fingerprint=None,
        token=token,
        lease_until_ms=now_ms(),
    )


async def test_a_record_is_born_once(parts: Parts) -> None:
    one = message()
    attributes = records.USUAL | records.born(
        one.email_id, one.tenant, records.fields_of(one), fingerprint="f"
    )
    assert await parts.tables.write(WRITES.insert(attributes)) == Applied()
    assert await parts.tables.write(WRITES.insert(attributes)) == Refused(None, duplicate=True)
    record = await parts.record(one.email_id)
    assert record is not None
    assert (record.status, record.rank, record.attempt, record.fingerprint) == (
        "pending",
        0,
        0,
        "f",
    )
    assert (record.ranks, record.ids) == ({"r0": 0}, {})


async def test_a_claim_has_one_winner_and_the_loser_gets_the_record(parts: Parts) -> None:
    email_id = await fresh(parts)
    assert await parts.tables.write(claim(email_id, token="one")) == Applied()
    refused = await parts.tables.write(claim(email_id, token="two"))
    assert isinstance(refused, Refused)
    assert refused.item is not None
    assert (refused.item["token"], refused.item["attempt"]) == ("one", 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "other"},
        {"attempt": 1},
        {"leaseUntil": now_ms() + 60_000, "token": "another"},
        {"leaseUntil": 1, "token": "another"},
        {"rank": 12, "status": "unknown"},
        {"version": 1},
        {"fingerprint": "another"},
    ],
)
async def test_each_condition_of_a_claim_refuses_by_itself(
    parts: Parts, changes: dict[str, records.Value]
) -> None:
    email_id = await fresh(parts, **changes)
    before = await parts.record(email_id)
    assert isinstance(await parts.tables.write(claim(email_id)), Refused)
    assert await parts.record(email_id) == before


async def test_a_live_claim_is_not_taken_at_its_own_attempt_number(parts: Parts) -> None:
    email_id = await fresh(parts)
    await parts.tables.write(claim(email_id, token="one"))
    assert isinstance(await parts.tables.write(claim(email_id, attempts=1, token="two")), Refused)


async def test_a_write_to_a_missing_record_makes_none(parts: Parts) -> None:
    for write in (claim("missing"), WRITES.sent("missing", 1, "id", at_ms=1)):
        assert await parts.tables.write(write) == Refused(None)
    assert await parts.record("missing") is None


async def test_a_release_is_only_for_ones_own_claim(parts: Parts) -> None:
    email_id = await fresh(parts)
    await parts.tables.write(claim(email_id))
    assert isinstance(await parts.tables.write(WRITES.release(email_id, "other")), Refused)
    assert await parts.tables.write(WRITES.release(email_id, "me")) == Applied()
    assert await parts.tables.write(claim(email_id, attempts=1)) == Applied()


async def test_sent_is_a_fact_whoever_owns_the_claim_but_never_lowers(parts: Parts) -> None:
    email_id = await fresh(parts, rank=12, status="unknown")
    assert await parts.tables.write(WRITES.sent(email_id, 3, "ses", at_ms=7)) == Applied()
    assert isinstance(await parts.tables.write(WRITES.sent(email_id, 4, "x", at_ms=8)), Refused)
    record = await parts.record(email_id)
    assert record is not None
    assert (record.status, record.ids, record.sent_at) == ("sent", {"a3": "ses"}, 7)


async def test_an_end_needs_the_claim_and_leaves_the_index_of_open_mail(parts: Parts) -> None:
    email_id = await fresh(parts)
    await parts.tables.write(claim(email_id))

    def end(token: str) -> Statement:
        return WRITES.end(email_id, FAILED, token=token, reason="why", at_ms=now_ms(), ttl=TTL)

    assert isinstance(await parts.tables.write(end("other")), Refused)
    assert await parts.tables.write(end("me")) == Applied()
    item = await parts.tables.get("EmailTracking", {"emailId": email_id})
    assert item is not None
    assert (item["status"], item["rank"], item["reason"], item["ttl"]) == ("failed", 14, "why", TTL)
    assert str(item["open"]).startswith("failed#")


FREE = {"status": "scheduled", "rank": 1, "sendAt": 7, "version": 3}
"""Changes of a record that may be cancelled, or given another time."""
NEITHER: list[dict[str, records.Value]] = [
    {"attempt": 1},
    {"leaseUntil": 1, "token": "another"},
    {"rank": 12, "status": "unknown"},
    {"version": 4},
]


async def unsent(parts: Parts, **changes: records.Value) -> tuple[str, list[Statement]]:
    """A record, and the writes that end it and move it, as who read it free would make them."""
    email_id = await fresh(parts, **FREE)
    read = await parts.record(email_id)
    assert read is not None
    item = await parts.tables.get("EmailTracking", {"emailId": email_id})
    assert item is not None
    await parts.tables.write(delete_from(PREFIX, "EmailTracking", {"emailId": email_id}))
    await parts.tables.write(WRITES.insert(item | changes))
    return email_id, [
        WRITES.give_up(read, CANCELLED, reason="why", at_ms=9),
        WRITES.reschedule(read, 8, at_ms=9),
    ]


async def test_a_mail_that_nobody_has_claimed_is_cancelled_once_and_stays_open(
    parts: Parts,
) -> None:
    email_id, (cancel, reschedule) = await unsent(parts)
    assert await parts.tables.write(cancel) == Applied()
    for write in (cancel, reschedule, claim(email_id)):
        assert isinstance(await parts.tables.write(write), Refused)
    item = await parts.tables.get("EmailTracking", {"emailId": email_id})
    assert item is not None
    assert (item["status"], item["rank"], item["reason"]) == ("cancelled", 90, "why")
    assert str(item["open"]).startswith("open#")
    assert await parts.tables.write(WRITES.close(email_id, CANCELLED, at_ms=9, ttl=TTL)) == (
        Applied()
    )
    item = await parts.tables.get("EmailTracking", {"emailId": email_id})
    assert item is not None
    assert ("open" in item, item["ttl"]) == (False, TTL)


async def test_another_time_makes_a_new_version_that_older_messages_do_not_claim(
    parts: Parts,
) -> None:
    email_id, (_, reschedule) = await unsent(parts)
    assert await parts.tables.write(reschedule) == Applied()
    record = await parts.record(email_id)
    assert record is not None
    assert (record.status, record.send_at, record.moved_from, record.version) == (
        *("scheduled", 8, 7),
        4,
    )
    assert isinstance(await parts.tables.write(reschedule), Refused)
    assert isinstance(await parts.tables.write(claim(email_id)), Refused)


@pytest.mark.parametrize("changes", NEITHER)
async def test_each_condition_of_an_end_and_of_another_time_refuses_by_itself(
    parts: Parts, changes: dict[str, records.Value]
) -> None:
    email_id, writes = await unsent(parts, **changes)
    before = await parts.record(email_id)
    for write in writes:
        assert isinstance(await parts.tables.write(write), Refused)
    assert await parts.record(email_id) == before


async def test_a_raise_only_raises_and_a_good_end_leaves_no_index_entry(parts: Parts) -> None:
    email_id = await fresh(parts)

    def raise_to(standing: Standing, ttl: int | None = TTL) -> Statement:
        return WRITES.raise_to(
            *(email_id, standing),
            source="h",
            at_ms=9,
            proves=(2, "ses"),
            sent_at_ms=5,
            ttl=ttl,
        )

    assert await parts.tables.write(raise_to(SENT, ttl=None)) == Applied()
    assert await parts.tables.write(raise_to(DELIVERED)) == Applied()
    assert isinstance(await parts.tables.write(raise_to(SENT)), Refused)
    item = await parts.tables.get("EmailTracking", {"emailId": email_id})
    assert item is not None
    assert "open" not in item
    assert (item["ids"], item["sentAt"], item["ttl"]) == ({"a2": "ses"}, 5, TTL)
    assert await parts.tables.write(raise_to(HARD_BOUNCED)) == Applied()
    item = await parts.tables.get("EmailTracking", {"emailId": email_id})
    assert item is not None
    assert str(item["open"]).startswith("bounced#")


@pytest.mark.parametrize("proof", ["answer", "event"])
async def test_what_ended_and_was_sent_after_all_is_open_again(parts: Parts, proof: str) -> None:
    """A late answer of SES, or an event, of what had ended as unknown: more is expected of it."""
    email_id = await fresh(parts)
    await parts.tables.write(claim(email_id))
    end = WRITES.end(email_id, UNKNOWN, token="me", reason="", at_ms=9, ttl=TTL)
    assert await parts.tables.write(end) == Applied()
    raised = WRITES.raise_to(
        email_id, SENT, source="h", at_ms=9, proves=None, sent_at_ms=5, ttl=None
    )
    late = WRITES.sent(email_id, 1, "ses", at_ms=9) if proof == "answer" else raised
    assert await parts.tables.write(late) == Applied()
    item = await parts.tables.get("EmailTracking", {"emailId": email_id})
    assert item is not None
    assert records.read(item).is_open
    assert "ttl" not in item


async def test_ranks_of_recipients_rise_each_by_itself(parts: Parts) -> None:
    email_id = await fresh(parts)
    assert await parts.tables.write(WRITES.raise_recipient(email_id, 1, 40)) == Applied()
    again = await parts.tables.write(WRITES.raise_recipient(email_id, 1, 30))
    assert isinstance(again, Refused)
    record = await parts.record(email_id)
    assert record is not None
    assert record.ranks == {"r0": 0, "r1": 40}


async def test_a_missing_table_is_a_fault_of_configuration(parts: Parts) -> None:
    lost = EmailStatements("nobody-").insert({"emailId": "x"})
    with pytest.raises(CallFailed) as failed:
        await parts.tables.write(lost)
    assert failed.value.kind is Kind.CONFIGURATION
