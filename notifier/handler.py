"""What happens to one webhook: sign, post, and on failure a later copy with the attempt counted."""

import time

import msgspec

from mailpipe import failpoints, logs, metrics
from mailpipe.aws.queue import Outgoing, Queue, Received
from mailpipe.endpoints import Endpoints
from mailpipe.messages import WebhookMessage, encode, webhook_decoder
from mailpipe.outcomes import Dead, Done, Outcome
from mailpipe.texts import told
from mailpipe.timing import now_ms
from notifier.post import Answer, Posts
from notifier.schedule import next_wait_s
from notifier.signing import headers

log = logs.get()


class Notifier:
    """Handles the webhooks of one queue."""

    def __init__(
        self,
        posts: Posts,
        endpoints: Endpoints,
        queue: Queue,
        *,
        retry_base_s: float,
    ) -> None:
        self._posts = posts
        self._endpoints = endpoints
        self._queue = queue
        self._retry_base_s = retry_base_s

    async def handle(self, received: Received) -> Outcome:
        """One attempt. A crash repeats it under the same webhook id."""
        try:
            message = webhook_decoder.decode(received.body)
        except msgspec.DecodeError as error:
            return Dead(f"unparseable: {told(error)}")
        endpoint = (await self._endpoints.of(message.tenant)).get(message.endpoint)
        if endpoint is None:
            log.info("webhook_discarded", webhook_id=message.webhook_id, reason="no endpoint")
            return Done()
        if not endpoint.enabled:
            return Dead("endpoint_disabled")
        body, begun = bytes(message.event), time.perf_counter()
        signed = headers(
            message.webhook_id, body, secrets=endpoint.secrets, timestamp_s=now_ms() // 1000
        )
        answer = await self._posts.post(endpoint.url, body=body, headers=signed)
        metrics.WEBHOOK_SECONDS.observe(time.perf_counter() - begun)
        if answer.ok:
            failpoints.hit("notifier.answered")
            metrics.bound(metrics.WEBHOOKS, "delivered").inc()
            log.info("webhook_delivered", webhook_id=message.webhook_id, attempt=message.attempt)
            return Done()
        return await self._again(message, answer)

    async def _again(self, message: WebhookMessage, answer: Answer) -> Outcome:
        wait_s = next_wait_s(message.attempt, base_s=self._retry_base_s)
        log.warning(
            "webhook_failed",
            webhook_id=message.webhook_id,
            endpoint=message.endpoint,
            attempt=message.attempt,
            reason=answer.reason,
        )
        if wait_s is None:
            metrics.bound(metrics.WEBHOOKS, "exhausted").inc()
            return Dead(f"exhausted: {answer.reason}")
        metrics.bound(metrics.WEBHOOKS, "retried").inc()
        copy = msgspec.structs.replace(
            message,
            attempt=message.attempt + 1,
            first_attempt_at=message.first_attempt_at or now_ms(),
        )
        # First the copy, then the original's end: a crash in between posts twice under one id.
        (fault,) = await self._queue.send(
            [Outgoing(encode(copy), group=message.endpoint, delay_s=round(wait_s))]
        )
        if fault is not None:
            raise fault
        failpoints.hit("notifier.copied")
        return Done()
