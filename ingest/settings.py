"""Ingest's settings (`MAILPIPE_INGEST_…`)."""

from typing import Annotated

from msgspec import Meta

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
    ] = 2_000_000
