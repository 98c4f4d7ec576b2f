"""Settings of the sweeper (`MAILPIPE_SENDER_…`)."""

from typing import Annotated

from msgspec import Meta

from sender.waiting_settings import WaitingSettings


class SweepingSettings(WaitingSettings, frozen=True, kw_only=True):
    """What looks after mail that is open for too long needs to know."""

    sweep_every_s: Annotated[
        float, Meta(gt=0, le=3600, description="how often the sweeper looks at some open mail")
    ] = 60.0
    sweep_records: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="at so much of it at once; ten times in a row while there is more",
        ),
    ] = 1000
    sweep_after_s: Annotated[
        float,
        Meta(ge=0, le=86_400, description="younger mail, and ends younger than this, it leaves be"),
    ] = 600.0
    unheard_s: Annotated[
        float,
        Meta(gt=0, le=2_592_000, description="sent mail of which SES says no more is closed then"),
    ] = 432_000.0
