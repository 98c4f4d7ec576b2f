"""The sender's side of the record and of the suppression list, in DynamoDB."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from secrets import token_hex

from mailpipe import records, resources, suppression
from mailpipe.addresses import suppression_hash
from mailpipe.aws.table import Applied, Fate, Refused, Tables
from mailpipe.messages import EmailMessage, RecordFields
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.partiql import Statement
from mailpipe.records import Record
from mailpipe.statements import EmailStatements
from mailpipe.status import SUPPRESSED, UNKNOWN, Standing
from mailpipe.tenants import Retention
from sender.claims import Answer, Doubtful, Finished, Live, Open, Won, decide

LET_GO_S = 5.0
"""The longest that a claim is given back for: what gives up is ending, or DynamoDB is down."""

HEARD_S = 3.0
"""The longest that whoever is cancelled waits for the fate of its claim: given back before it is
written, it would stay. Both together are less than what the end of a drain waits."""

GIVEN_UP = (Exception, asyncio.CancelledError)
"""What ends the work on a mail early. Not GeneratorExit: nothing can be awaited after that."""


class SenderStore:
    """Claims and what ends them. Every method raises CallFailed when DynamoDB does not answer.
    `wall_ms`: the time that all senders share (`Clock.wall_ms`), for it is compared with theirs.
    """

    def __init__(
        self,
        tables: Tables,
        prefix: str,
        *,
        address_hash_key: bytes,
        lease_s: float,
        grace_s: float,
        retention: Retention,
        wall_ms: Callable[[], int],
    ) -> None:
        self._tables = tables
        self._statements = EmailStatements(prefix)
        self._address_hash_key = address_hash_key
        self._lease_ms = round(lease_s * 1000)
        self._grace_ms = round(grace_s * 1000)
        self._retention = retention
        self._wall_ms = wall_ms

    async def claim(
        self, message: EmailMessage, *, more_s: float = 0.0, same_times: bool = False
    ) -> Answer:
        """Make the next attempt ours, for `more_s` longer than usual; a missing record is born with
        the claim in it. With `same_times` a mail is left open that has other times by now than
        those of the message's version: who ends it by its times has to judge again.

        `recorded` only hints which of the two to try first.
        """
        token, lease_ms = token_hex(8), self._lease_ms + round(more_s * 1000)
        if not message.recorded and (won := await self._born_claimed(message, token, lease_ms)):
            return won
        attempts, version, marked, doubted = 0, message.version, True, False
        for _ in range(5):
            lease_until_ms = self._wall_ms() + lease_ms
            claim = self._statements.claim(
                message.email_id,
                message.tenant,
                attempts=attempts,
                version=version,
                fingerprint=message.fingerprint,
                marked=marked,
                token=token,
                lease_until_ms=lease_until_ms,
            )
            fate = await self._write_claim(message.email_id, token, claim)
            if isinstance(fate, Applied):
                return Won(token, attempts + 1, lease_until_ms, doubted)
            if fate.item is None:
                answer = await self._born_claimed(message, token, lease_ms)
                if answer is not None:
                    return answer
                continue
            answer = self._why(fate, message, token)
            if not isinstance(answer, Open):
                return answer
            if same_times and answer.record.version != message.version:
                return answer
            attempts, version = answer.record.attempt, answer.record.version
            marked = answer.record.fingerprint is not None
            doubted = answer.record.possible_duplicate
        # Someone else claims and releases faster than we read: let it settle.
        return Live(self._wall_ms() + 1000)

    async def look(self, message: EmailMessage) -> Answer | None:
        """What is to be done, without a claim; None: there is no record yet."""
        item = await self._tables.get(resources.EMAIL_TRACKING, {"emailId": message.email_id})
        return None if item is None else self._decide(records.read(item), message)

    async def make(self, message: EmailMessage) -> Answer:
        """`look`, with a record for a mail that waits unclaimed, where there is none."""
        fields = records.fields_of_any(message)
        if len(message.email.recipients()) > 1:
            await self._make_stubs(message, fields)
        born = records.born(
            message.email_id, message.tenant, fields, fingerprint=message.fingerprint
        )
        await self._tables.write(self._statements.insert(born))
        return await self._stands(message, "make")

    async def take_over(
        self, doubt: Doubtful, message: EmailMessage, *, more_s: float = 0.0
    ) -> Answer:
        """Claim a mail in doubt, which may then be sent twice."""
        record, token, now = doubt.record, token_hex(8), self._wall_ms()
        lease_until_ms = now + self._lease_ms + round(more_s * 1000)
        take_over = self._statements.take_over(
            message.email_id,
            dead_token=record.token,
            attempts=record.attempt,
            doubts=record.doubts + 1,
            token=token,
            lease_until_ms=lease_until_ms,
            now_ms=now,
        )
        fate = await self._write_claim(message.email_id, token, take_over)
        if isinstance(fate, Applied):
            return Won(token, record.attempt + 1, lease_until_ms, doubted=True)
        return self._why(fate, message, token)

    async def end_in_doubt(self, doubt: Doubtful, message: EmailMessage, *, reason: str) -> Answer:
        """End a mail in doubt as unknown; the answer shows it as it then stands."""
        at_ms = self._wall_ms()
        await self._tables.write(
            self._statements.end_in_doubt(
                message.email_id,
                UNKNOWN,
                dead_token=doubt.record.token,
                attempts=doubt.record.attempt,
                doubts=doubt.record.doubts + 1,
                reason=reason,
                at_ms=at_ms,
                ttl=await self._retention.expiry(message.tenant, doubt.record.over_at(at_ms)),
            )
        )
        return await self._stands(message, "end_in_doubt")

    async def _born_claimed(
        self, message: EmailMessage, token: str, lease_ms: int
    ) -> Answer | None:
        fields = records.fields_of_any(message)
        if len(message.email.recipients()) > 1:
            await self._make_stubs(message, fields)
        lease_until_ms = self._wall_ms() + lease_ms
        born = records.born(
            message.email_id, message.tenant, fields, fingerprint=message.fingerprint
        )
        born |= {"attempt": 1, "token": token, "leaseUntil": lease_until_ms}
        fate = await self._write_claim(message.email_id, token, self._statements.insert(born))
        return Won(token, 1, lease_until_ms, doubted=False) if isinstance(fate, Applied) else None

    async def _make_stubs(self, message: EmailMessage, fields: RecordFields) -> None:
        """Before the record: once it is there nobody would make them."""
        stubs = records.stubs(
            message.email_id,
            message.tenant,
            fields,
            now_ms=self._wall_ms(),
            retention_days=await self._retention.days(message.tenant),
        )
        for fate in await self._tables.write_all(
            [self._statements.insert_stub(one) for one in stubs]
        ):
            if isinstance(fate, CallFailed):
                raise fate

    async def _stands(self, message: EmailMessage, operation: str) -> Answer:
        if (answer := await self.look(message)) is None:
            raise CallFailed(Kind.IN_DOUBT, "RecordGone", operation=operation)
        return answer

    def _why(self, fate: Refused, message: EmailMessage, token: str) -> Answer:
        if fate.item is None:
            raise CallFailed(Kind.IN_DOUBT, "RecordGone", operation="claim")
        return self._decide(records.read(fate.item), message, token)

    def _decide(self, record: Record, message: EmailMessage, token: str | None = None) -> Answer:
        return decide(record, message, now_ms=self._wall_ms(), grace_ms=self._grace_ms, token=token)

    async def suppressed(self, message: EmailMessage) -> set[int]:
        """Which of the recipients (by position) must not get mail: read now, consistently."""
        recipients = message.email.recipients()
        hashes = [suppression_hash(self._address_hash_key, one) for one in recipients]
        keys: list[records.Attributes] = [
            {"tenant": scope, "addressHash": one}
            for one in dict.fromkeys(hashes)
            for scope in (message.tenant, suppression.ALL_TENANTS)
        ]
        found = await self._tables.get_all(resources.SUPPRESSION_LIST, keys)
        if not found:
            return set()
        now_s = self._wall_ms() // 1000
        stopped = {
            item["addressHash"]
            for item in found
            if suppression.stops(item, stream=message.stream, now_s=now_s)
        }
        return {index for index, one in enumerate(hashes) if one in stopped}

    async def leave_out(self, email_id: str, positions: set[int], *, doubted: bool) -> None:
        """Some of several recipients are suppressed. After a doubt an earlier attempt may have
        reached them: that must not read as a no.
        """
        rank = UNKNOWN.rank if doubted else SUPPRESSED.rank
        for position in sorted(positions):
            await self._tables.write(self._statements.raise_recipient(email_id, position, rank))

    async def let_go(self, email_id: str, token: str) -> None:
        """Nothing was sent: free for the next try. Never raises: where that fails the claim runs
        out, and is a doubt.
        """
        with suppress(CallFailed, TimeoutError):
            async with asyncio.timeout(LET_GO_S):
                await self.release(email_id, token)

    async def release(self, email_id: str, token: str) -> None:
        """`let_go`, however long it takes. Raises CallFailed."""
        await self._tables.write(self._statements.release(email_id, token))

    async def _write_claim(self, email_id: str, token: str, claim: Statement) -> Fate:
        """A claim of which nothing is heard may be written all the same. (So may an INSERT that is
        refused, if it was made twice. The UPDATE after it tells; if that is throttled, the claim
        stays as a doubt: too rare for one more write whenever a table throttles.)
        """
        try:
            return await self._tables.write(claim, heard_s=HEARD_S)
        except GIVEN_UP as given_up:
            if not isinstance(given_up, CallFailed) or given_up.kind is Kind.IN_DOUBT:
                await self.let_go(email_id, token)
            raise

    def sent(self, email_id: str, attempt: int, message_id: str, *, at_ms: int) -> Awaitable[Fate]:
        """SES accepted. A refusal means that an event has already said so."""
        return self._tables.write(self._statements.sent(email_id, attempt, message_id, at_ms=at_ms))

    async def end(
        self, message: EmailMessage, claim: Won, standing: Standing, *, reason: str
    ) -> Answer:
        """End a mail that we hold, without SES; the answer shows it as it then stands. Where our
        lease had run out, another may hold it.
        """
        at_ms = self._wall_ms()
        await self._tables.write(
            self._statements.end(
                message.email_id,
                standing,
                token=claim.token,
                reason=reason,
                at_ms=at_ms,
                ttl=await self._retention.expiry(message.tenant, at_ms),
            )
        )
        answer = await self._stands(message, "end")
        if isinstance(answer, Finished) and (over_ms := answer.record.over_at(at_ms)) > at_ms:
            # A copy of its message may come until then.
            ttl = await self._retention.expiry(message.tenant, over_ms)
            await self._tables.write(
                self._statements.close(message.email_id, standing, at_ms=at_ms, ttl=ttl)
            )
        return answer
