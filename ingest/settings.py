"""Ingest's settings (`MAILPIPE_INGEST_…`)."""

from typing import Annotated

from msgspec import Meta

from ingest.limits import Limits
from mailpipe.access import PER_SECOND
from mailpipe.settings import Common


class IngestSettings(Common, frozen=True, kw_only=True):
    """What ingest needs to know."""

    host: Annotated[str, Meta(min_length=1, description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="public port; 0 = free")] = 8080
    connections: Annotated[
        int, Meta(ge=1, le=10_000, description="calls to AWS in flight, per service")
    ] = 128
    max_body_bytes: Annotated[
        int, Meta(ge=1024, le=100_000_000, description="a larger request is refused with 413")
    ] = 45_000_000
    max_bodies_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            le=100_000_000_000,
            description="bodies of all requests in hand; beyond it 503. To read one takes "
            "three times its size more, twelve if it is not ASCII; those above 256 KB are read "
            "one by one",
        ),
    ] = 256_000_000
    max_requests: Annotated[
        int, Meta(ge=1, le=100_000, description="requests in hand; beyond it 503")
    ] = 1000
    body_timeout_s: Annotated[
        float, Meta(gt=0, le=3600, description="a body that takes longer to come is cut with 408")
    ] = 60.0

    answer_timeout_s: Annotated[
        float,
        Meta(gt=0, le=60, description="a request whose stores take longer is answered with 503"),
    ] = 10.0
    key_per_second: Annotated[
        float, Meta(gt=0, le=1_000_000, description="mails a second of one API key; beyond it 429")
    ] = PER_SECOND

    def crossed(self) -> list[str]:
        """What is wrong between fields that are right each by itself."""
        if self.max_bodies_bytes >= self.max_body_bytes:
            return []
        own, other = "MAILPIPE_INGEST_MAX_BODIES_BYTES", "MAILPIPE_INGEST_MAX_BODY_BYTES"
        return [f"{own} must be at least {other}, or a request of that size never gets in"]

    def limits(self) -> Limits:
        """What requests must keep to."""
        return Limits(
            max_requests=self.max_requests,
            max_body_bytes=self.max_body_bytes,
            max_bodies_bytes=self.max_bodies_bytes,
            body_timeout_s=self.body_timeout_s,
        )
