"""The notifier's settings (`MAILPIPE_NOTIFIER_…`)."""

from typing import Annotated

from msgspec import Meta

from mailpipe.settings import Common


class NotifierSettings(Common, frozen=True, kw_only=True):
    """What the notifier needs to know."""

    concurrency: Annotated[int, Meta(ge=1, le=10_000, description="webhooks in hand")] = 64
    poll_s: Annotated[float, Meta(ge=0, le=20, description="long poll of the queue")] = 5.0
    visibility_s: Annotated[
        float, Meta(ge=3, le=43_200, description="renewed while a webhook is in hand")
    ] = 60.0
    timeout_s: Annotated[
        float, Meta(gt=0, le=60, description="an endpoint must have answered by then")
    ] = 10.0
    retry_base_s: Annotated[
        float, Meta(gt=0, le=50, description="first wait; doubles over five retries")
    ] = 1.0

    def crossed(self) -> list[str]:
        """A drain must outlast an attempt."""
        if self.drain_s <= self.timeout_s:
            return [
                f"MAILPIPE_DRAIN_S={self.drain_s} must be greater than "
                f"MAILPIPE_NOTIFIER_TIMEOUT_S={self.timeout_s}: an attempt in flight has to end"
            ]
        return []
