"""Every write to a record, each one statement with its own condition. Pure.

An item is *born* with every attribute that a condition names (`partiql.py` says why), and no write
is unconditional: an unconditional put would turn `sent` back into `pending`.
"""

from mailpipe import resources
from mailpipe.partiql import REMOVE, Statement, Usual, insert_into, update_in
from mailpipe.records import NO_FINGERPRINT, NO_TOKEN, USUAL, Attributes, Record, Value
from mailpipe.status import ENDED_BADLY, FIRST_ENDED_RANK, SCHEDULED, SENT, Standing
from mailpipe.timing import iso

_TABLE, _USUAL = resources.EMAIL_TRACKING, Usual(USUAL)
_OPEN_WITHOUT = ("ttl",)
"""Taken away where something more is expected. Most mail is open already, and for that this costs
nothing; what had ended as `unknown` or `failed` is open again, and is kept.
"""


class EmailStatements:
    """The writes to `EmailTracking`, in the order of an e-mail's life."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def insert(self, attributes: Attributes) -> Statement:
        """`born`, or born with a claim or an end in it; refused when the record exists."""
        return insert_into(self._prefix, _TABLE, attributes, _USUAL)

    def insert_stub(self, attributes: Attributes) -> Statement:
        """One of `stubs`."""
        return insert_into(self._prefix, _TABLE, attributes)

    def claim(
        self,
        email_id: str,
        tenant: str,
        *,
        attempts: int,
        version: int,
        fingerprint: str | None,
        marked: bool = True,
        token: str,
        lease_until_ms: int,
    ) -> Statement:
        """Make attempt number `attempts` + 1 ours, if nobody holds the record and it is open.

        The fingerprint too: another e-mail under the same idempotency key must not be sent in
        place of the one that the record promises. `marked` is False for a record that was read
        and has none; it never gets one later, so that the rest suffices.
        """
        promised = (("fingerprint", "=", fingerprint or NO_FINGERPRINT),) if marked else ()
        return self._update(
            {"attempt": attempts + 1, "token": token, "leaseUntil": lease_until_ms},
            email_id,
            ("tenant", "=", tenant),
            ("attempt", "=", attempts),
            ("leaseUntil", "=", 0),
            ("rank", "<", FIRST_ENDED_RANK),
            ("version", "=", version),
            *promised,
        )

    def release(self, email_id: str, token: str) -> Statement:
        """Give our own claim back: nothing was sent."""
        return self._update(
            {"leaseUntil": 0, "token": NO_TOKEN},
            email_id,
            ("token", "=", token),
            ("rank", "<", FIRST_ENDED_RANK),
        )

    def take_over(
        self,
        email_id: str,
        *,
        dead_token: str,
        attempts: int,
        doubts: int,
        token: str,
        lease_until_ms: int,
        now_ms: int,
    ) -> Statement:
        """Claim again after a claim whose lease ran out, doubt number `doubts` of this mail: what
        is sent now may be a second copy.
        """
        return self._update(
            {
                "attempt": attempts + 1,
                "token": token,
                "leaseUntil": lease_until_ms,
                "doubts": doubts,
                "possibleDuplicate": True,
            },
            email_id,
            *_ran_out(dead_token, attempts, now_ms),
        )

    def end_in_doubt(
        self,
        email_id: str,
        standing: Standing,
        *,
        dead_token: str,
        attempts: int,
        doubts: int,
        reason: str,
        at_ms: int,
        ttl: int,
    ) -> Statement:
        """End an e-mail after a claim whose lease ran out, instead of taking it over."""
        return self._update(
            {
                "status": standing.status,
                "rank": standing.rank,
                "leaseUntil": 0,
                "doubts": doubts,
                "reason": reason,
                "updatedAt": at_ms,
                **_closing(standing, email_id, at_ms=at_ms, ttl=ttl),
            },
            email_id,
            *_ran_out(dead_token, attempts, at_ms),
        )

    def sent(self, email_id: str, attempt: int, message_id: str, *, at_ms: int) -> Statement:
        """SES accepted. No token in the condition: SES's yes is a fact, whoever owns the claim."""
        return self._update(
            {
                "status": SENT.status,
                "rank": SENT.rank,
                "leaseUntil": 0,
                f"ids.a{attempt}": message_id,
                "sentAt": at_ms,
                "updatedAt": at_ms,
                "open": resources.open_key(email_id),
            },
            email_id,
            ("rank", "<", SENT.rank),
            removes=_OPEN_WITHOUT,
        )

    def end(
        self, email_id: str, standing: Standing, *, token: str, reason: str, at_ms: int, ttl: int
    ) -> Statement:
        """End an e-mail that we hold, without SES."""
        return self._update(
            {
                "status": standing.status,
                "rank": standing.rank,
                "leaseUntil": 0,
                "reason": reason,
                "updatedAt": at_ms,
                **_closing(standing, email_id, at_ms=at_ms, ttl=ttl),
            },
            email_id,
            ("token", "=", token),
            ("rank", "<", standing.rank),
        )

    def reschedule(self, record: Record, send_at_ms: int, *, at_ms: int) -> Statement:
        """Another time for a mail that nobody has claimed yet, and that stands as it was read. Its
        messages have an older version from now on, so that none of them is sent before it was
        compared with the record.
        """
        moved_from: Attributes = {"movedFrom": max(times)} if (times := record.times()) else {}
        return self._update(
            {
                "status": SCHEDULED.status,
                "rank": SCHEDULED.rank,
                "sendAt": send_at_ms,
                **moved_from,
                "version": record.version + 1,
                "updatedAt": at_ms,
            },
            record.email_id,
            ("attempt", "=", 0),
            ("leaseUntil", "=", 0),
            ("rank", "<", FIRST_ENDED_RANK),
            ("version", "=", record.version),
        )

    def give_up(self, record: Record, standing: Standing, *, reason: str, at_ms: int) -> Statement:
        """End a mail that nobody holds and that stands as it was read: cancelled, or open for too
        long. It stays in the index of open mail until its end is announced (`close`), so that a
        crash in between is seen.
        """
        return self._update(
            {
                "status": standing.status,
                "rank": standing.rank,
                "leaseUntil": 0,
                "reason": reason,
                "updatedAt": at_ms,
            },
            record.email_id,
            ("token", "=", record.token),
            ("attempt", "=", record.attempt),
            ("version", "=", record.version),
            ("rank", "<", FIRST_ENDED_RANK),
        )

    def keep_stub(self, stub_id: str, *, ttl: int) -> Statement:
        """Its mail goes later than was known when it was born."""
        return self._update({"ttl": ttl}, stub_id, ("ttl", "<", ttl))

    def raise_recipient(self, email_id: str, index: int, rank: int) -> Statement:
        """One of several recipients has come further. Always before the raise of the mail."""
        path = f"ranks.r{index}"
        return self._update({path: rank}, email_id, (path, "<", rank))

    def raise_to(
        self,
        email_id: str,
        standing: Standing,
        *,
        source: str,
        at_ms: int,
        proves: tuple[int, str] | None,
        sent_at_ms: int | None,
        ttl: int | None,
    ) -> Statement:
        """An event, whose hash is `source`, shows that the mail stands at least here.

        `proves` is the attempt that the event's tag names and its SES message id; `sent_at_ms` is
        given when the sender has not recorded it; `ttl` (epoch seconds) when nothing more is
        expected for any recipient.
        """
        changes: Attributes = {
            "status": standing.status,
            "rank": standing.rank,
            "source": source,
            "updatedAt": at_ms,
        }
        if proves is not None:
            changes[f"ids.a{proves[0]}"] = proves[1]
        if sent_at_ms is not None:
            changes["sentAt"] = sent_at_ms
        below = ("rank", "<", standing.rank)
        if ttl is None:
            changes["open"] = resources.open_key(email_id)
            return self._update(changes, email_id, below, removes=_OPEN_WITHOUT)
        changes |= _closing(standing, email_id, at_ms=at_ms, ttl=ttl)
        return self._update(changes, email_id, below)

    def adopt(self, email_id: str, attempt: int, message_id: str) -> Statement:
        """An event names the SES id of one of several attempts that may all have been accepted, and
        the mail stands higher already.
        """
        changes: Attributes = {f"ids.a{attempt}": message_id}
        return self._update(changes, email_id, ("possibleDuplicate", "=", True))

    def close(
        self,
        email_id: str,
        standing: Standing,
        *,
        at_ms: int,
        ttl: int,
        outcome: str | None = None,
    ) -> Statement:
        """The last of several recipients has come to its end without raising the mail's rank; or
        the end that we have set is announced; or SES says no more (`outcome`).
        """
        why: Attributes = {} if outcome is None else {"outcome": outcome}
        return self._update(
            {**why, **_closing(standing, email_id, at_ms=at_ms, ttl=ttl)},
            email_id,
            ("rank", "=", standing.rank),
        )

    def _update(
        self,
        changes: Attributes,
        email_id: str,
        *where: tuple[str, str, Value],
        removes: tuple[str, ...] = (),
    ) -> Statement:
        key: Attributes = {"emailId": email_id}
        return update_in(self._prefix, _TABLE, changes, key, *where, removes=removes)


def _ran_out(token: str, attempts: int, now_ms: int) -> tuple[tuple[str, str, Value], ...]:
    """The condition that this claim is the last one, that its lease is over, and nothing has come
    of it.
    """
    return (
        ("token", "=", token),
        ("attempt", "=", attempts),
        ("leaseUntil", "<", now_ms),
        ("rank", "<", FIRST_ENDED_RANK),
    )


def _closing(standing: Standing, email_id: str, *, at_ms: int, ttl: int) -> Attributes:
    """Out of the index of open mail; into the one of bad ends where somebody may have to look."""
    key: Value = REMOVE
    if standing.status in ENDED_BADLY:
        key = resources.ended_badly_key(standing.status, iso(at_ms)[:10], email_id)
    return {"ttl": ttl, "open": key}
