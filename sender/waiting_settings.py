"""Settings of how mail waits outside its queue (`MAILPIPE_SENDER_…`)."""

from typing import Annotated

from msgspec import Meta

from mailpipe.pace import Ramp
from mailpipe.parking import Waits
from mailpipe.settings import Common


class WaitingSettings(Common, frozen=True, kw_only=True):
    """What parking, release and renewal need to know."""

    hide_at_most_s: Annotated[
        float, Meta(gt=0, le=43_200, description="mail that waits longer is parked, not hidden")
    ] = 900.0
    renew_after_s: Annotated[
        float,
        Meta(gt=0, le=259_200, description="older mail that cannot go is sent to its queue anew"),
    ] = 86_400.0
    renew_stopped_s: Annotated[
        float,
        Meta(gt=0, le=259_200, description="a lane that stands so long is searched for such mail"),
    ] = 21_600.0
    renew_every_s: Annotated[
        float, Meta(gt=0, le=86_400, description="how often that is asked")
    ] = 600.0
    due_soon_s: Annotated[
        float, Meta(ge=0, le=900, description="what is due within it is on its queue, delayed")
    ] = 60.0
    due_settle_s: Annotated[
        float,
        Meta(gt=0, le=3600, description="so late a put may come, differences of clocks included"),
    ] = 120.0
    due_every_s: Annotated[
        float, Meta(gt=0, le=60, description="how often what is due is looked for")
    ] = 10.0
    due_kept_s: Annotated[
        float,
        Meta(ge=1, le=10, description="what comes at most so early stays in hand until its sendAt"),
    ] = 1.5
    release_every_s: Annotated[
        float, Meta(gt=0, le=5, description="how often mail of resumed scopes is sent on")
    ] = 1.0
    release_doubling_s: Annotated[
        float, Meta(gt=0, le=3600, description="released mail a second doubles in so long")
    ] = 5.0
    release_depth_s: Annotated[
        float, Meta(gt=0, le=3600, description="a queue gets no more than SES takes in so long")
    ] = 5.0

    @property
    def waits(self) -> Waits:
        """How messages wait."""
        return Waits(self.hide_at_most_s, self.renew_after_s, self.due_soon_s, self.due_settle_s)

    @property
    def ramp(self) -> Ramp:
        """How released mail comes back."""
        return Ramp(self.release_doubling_s, self.release_depth_s)
