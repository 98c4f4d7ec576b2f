"""The processor's settings (`MAILPIPE_PROCESSOR_…`)."""

from typing import Annotated

from msgspec import Meta

from mailpipe.settings import Common


class ProcessorSettings(Common, frozen=True, kw_only=True):
    """What the processor needs to know."""

    concurrency: Annotated[int, Meta(ge=1, le=10_000, description="events in hand")] = 128
    poll_s: Annotated[
        float,
        Meta(ge=1, le=20, description="long poll of the queue: a short one may miss messages"),
    ] = 5.0
    clocks_s: Annotated[
        float,
        Meta(gt=0, le=60, description="so far the clocks of our machines and SES's may differ"),
    ] = 5.0
    visibility_s: Annotated[
        float, Meta(ge=3, le=43_200, description="renewed while an event is in hand")
    ] = 60.0
    publish_every_s: Annotated[
        float,
        Meta(gt=0, le=60, description="how often it tells senders what it has handled, for doubts"),
    ] = 5.0
