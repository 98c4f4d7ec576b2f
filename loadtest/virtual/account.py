"""An SES account in virtual time: what GetAccount tells, and whom SendEmail takes."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from loadtest.virtual.life import Latency, alive
from mailpipe.aws.errors import answered, missed
from mailpipe.aws.operations import A, Gate, Operation, Q
from mailpipe.aws.ses_operations import AccountAnswer, SendEmail, SendEmailAnswer, SendQuota

DAY_S = 86_400.0
UNLIMITED = -1.0


class Account:
    """Counts recipients over rolling 24 hours, as SES does. `accepted` has the time (epoch seconds)
    and the mail's id of each send that it took; `refused` counts the others. `tells` hears of each
    that was taken: mail, attempt, SES's id.
    """

    def __init__(
        self,
        *,
        rate: float,
        daily: float = UNLIMITED,
        latency: Latency | None = None,
        tells: Callable[[str, int, str], None] = lambda *_: None,
    ) -> None:
        self._latency, self._tells = latency, tells
        self.rate, self.daily = rate, daily
        self.sending_enabled = True
        self.has_set = True
        self.accepted = list[tuple[float, str]]()
        self.refused = 0
        self._counted = deque[tuple[float, int]]()
        self._sum = 0

    async def call(self, operation: Operation[Q, A], request: Q, *, gate: Gate | None = None) -> A:
        """See mailpipe.aws.client.Client."""
        if gate is not None and not await gate():
            raise missed(operation.name)
        await alive()
        answer: Any = self._send(request) if isinstance(request, SendEmail) else self._account()
        if self._latency is not None:
            await self._latency.pass_by()
        return answer  # type: ignore[no-any-return]

    def _account(self) -> AccountAnswer:
        quota = SendQuota(
            max24_hour_send=self.daily, max_send_rate=self.rate, sent_last24_hours=self._last_day()
        )
        return AccountAnswer(send_quota=quota, sending_enabled=self.sending_enabled)

    def _send(self, request: SendEmail) -> SendEmailAnswer:
        to = request.destination
        recipients = len(to.to_addresses) + len(to.cc_addresses) + len(to.bcc_addresses)
        if (fault := self._fault(recipients)) is not None:
            self.refused += 1
            raise answered("SendEmail", *fault)
        self._counted.append((time.time(), recipients))
        self._sum += recipients
        tags = {tag.name: tag.value for tag in request.email_tags}
        self.accepted.append((time.time(), tags["email_id"]))
        message_id = f"ses-{len(self.accepted)}"
        self._tells(tags["email_id"], int(tags["attempt"]), message_id)
        return SendEmailAnswer(message_id=message_id)

    def _fault(self, recipients: int) -> tuple[str, str, int] | None:
        """Code, text and HTTP status (SES API v2 reference, "SendEmail", Errors; SES Developer
        Guide, "Errors related to the sending quotas").
        """
        if not self.sending_enabled:
            return "SendingPausedException", "Email sending is disabled for this account.", 400
        if not self.has_set:
            text = "Configuration set <enterprise-email> does not exist."
            return "NotFoundException", text, 404
        if self.daily != UNLIMITED and self._last_day() + recipients > self.daily:
            return "LimitExceededException", "Daily message quota exceeded.", 400
        return None

    def _last_day(self) -> int:
        while self._counted and self._counted[0][0] <= time.time() - DAY_S:
            self._sum -= self._counted.popleft()[1]
        return self._sum
