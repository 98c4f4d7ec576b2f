"""The sender's settings (`MAILPIPE_SENDER_…`)."""

from typing import Annotated

from msgspec import Meta

from mailpipe.open_states import Terms
from sender.day import DaySettings
from sender.sweeping_settings import SweepingSettings


class SenderSettings(SweepingSettings, frozen=True, kw_only=True):
    """What the sender needs to know."""

    concurrency: Annotated[int, Meta(ge=1, le=10_000, description="mails in hand per lane")] = 256
    dig_every_s: Annotated[
        float,
        Meta(
            ge=0.02,
            le=60,
            description="how often a lane whose room is full looks for other tenants' mail",
        ),
    ] = 0.1
    excess_min_s: Annotated[
        float,
        Meta(ge=0, le=900, description="mail beyond its tenant's share goes back at least so long"),
    ] = 5.0
    excess_max_s: Annotated[float, Meta(ge=0, le=900, description="and at most so long")] = 15.0
    poll_s: Annotated[float, Meta(ge=0, le=20, description="long poll of the queues")] = 5.0
    visibility_s: Annotated[
        float, Meta(ge=3, le=43_200, description="renewed while a mail is in hand")
    ] = 60.0
    ses_timeout_s: Annotated[
        float, Meta(gt=0, le=60, description="a send that takes longer is in doubt")
    ] = 10.0
    lease_margin_s: Annotated[
        float, Meta(gt=0, le=300, description="a claim lives this much longer than a send may take")
    ] = 15.0
    in_doubt_grace_s: Annotated[
        float,
        Meta(ge=0, le=3600, description="how long an event may take to prove a send in doubt"),
    ] = 150.0
    in_doubt_every_s: Annotated[
        float,
        Meta(gt=0, le=900, description="after that a send in doubt is looked at so often"),
    ] = 30.0
    in_doubt_decide_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="so long a doubt waits for evidence that SES's events come through",
        ),
    ] = 3600.0
    expire_after_s: Annotated[
        float, Meta(gt=0, le=345_600, description="mail older than this is ended as expired")
    ] = 259_200.0
    share: Annotated[
        float, Meta(gt=0, le=1, description="part of the account's rate that is ours")
    ] = 1.0
    spread_s: Annotated[
        float, Meta(gt=0, le=1, description="timing spread that the rate allows for")
    ] = 0.05
    unsure_share: Annotated[
        float,
        Meta(
            gt=0,
            le=0.5,
            description="part of the rate for the urgent mail of senders whose clock is not sure",
        ),
    ] = 0.02
    bulk_share: Annotated[
        float, Meta(gt=0, le=0.9, description="part of the rate that urgent mail leaves to bulk")
    ] = 0.1
    lateness_s: Annotated[
        float, Meta(gt=0, le=1, description="a slot missed by more is dropped")
    ] = 0.02
    reserve_timeout_s: Annotated[
        float, Meta(gt=0, le=5, description="a reservation of send slots that takes longer failed")
    ] = 1.0
    unreachable_after_s: Annotated[
        float,
        Meta(ge=0, le=60, description="the store of send slots fails so long before it is said"),
    ] = 2.0
    unreachable_rate: Annotated[
        float,
        Meta(
            ge=0,
            le=1000,
            description="recipients a second of urgent mail, all senders together, meanwhile",
        ),
    ] = 0.0
    large_at_once: Annotated[
        int, Meta(ge=1, le=64, description="mails above 256 KB in hand per lane; more wait")
    ] = 4
    upload_bytes_per_s: Annotated[
        int,
        Meta(ge=10_000, le=1_000_000_000, description="such mail has its size by this more time"),
    ] = 1_000_000
    clock_budget_s: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="by more this clock may not differ from AWS's, or bulk mail waits",
        ),
    ] = 0.01
    clock_wait_s: Annotated[
        float,
        Meta(
            ge=0, le=60, description="so long a sender that starts waits until it knows its clock"
        ),
    ] = 5.0
    quota_refresh_s: Annotated[
        float, Meta(gt=0, le=3600, description="how often SES is asked for its quota")
    ] = 30.0
    board_refresh_s: Annotated[
        float, Meta(gt=0, le=60, description="how often what all senders know is read")
    ] = 2.0
    side_lease_s: Annotated[
        float,
        Meta(
            ge=1, le=300, description="after so long another sender takes a dead one's side tasks"
        ),
    ] = 15.0
    presence_s: Annotated[
        float,
        Meta(gt=0, le=300, description="how often a sender says that it lives; counts three times"),
    ] = 10.0
    transactional_day_share: Annotated[
        float, Meta(ge=0, lt=1, description="part of the day's quota that bulk mail never uses")
    ] = 0.1
    day_smoothing_s: Annotated[
        float, Meta(gt=0, le=86_400, description="bulk spends what is left of the day over so long")
    ] = 900.0
    urgent_day_smoothing_s: Annotated[
        float, Meta(gt=0, le=86_400, description="the same of transactional mail")
    ] = 60.0
    probe_s: Annotated[
        float, Meta(gt=0, le=3600, description="how often one mail tries whether a pause is over")
    ] = 60.0

    trust_sender_id: Annotated[
        bool, Meta(description="SQS's SenderId must be a principal of the mail's tenant")
    ] = True
    trusted_principals: Annotated[
        str,
        Meta(
            pattern="^([A-Z0-9]{12,128}(, *[A-Z0-9]{12,128})*)?$",
            description="unique ids, by commas, of the roles of ingest, senders, operators",
        ),
    ] = ""

    @property
    def trusted(self) -> frozenset[str] | None:
        """Who may enqueue for every tenant; None when nobody looks at who has sent a message."""
        if not self.trust_sender_id:
            return None
        return frozenset(one.strip() for one in self.trusted_principals.split(","))

    @property
    def day(self) -> DaySettings:
        """How the day's quota is spent."""
        return DaySettings(
            self.transactional_day_share, self.day_smoothing_s, self.urgent_day_smoothing_s
        )

    @property
    def lease_s(self) -> float:
        """How long a claim lives."""
        return self.ses_timeout_s + self.lease_margin_s

    @property
    def terms(self) -> Terms:
        """By when what is open ends."""
        return Terms(
            lease_ms=round(self.lease_s * 1000),
            grace_ms=round(self.in_doubt_grace_s * 1000),
            decide_ms=round(self.in_doubt_decide_s * 1000),
            unheard_ms=round(self.unheard_s * 1000),
            settle_ms=round(self.sweep_after_s * 1000),
        )

    def crossed(self) -> list[str]:
        """A drain must outlast a send; lateness and clocks must stay within the spread (on one
        machine there is one clock); where senders are told apart, ingest's must be known.
        """
        faults = list[str]()
        if self.drain_s <= self.ses_timeout_s:
            faults.append(
                f"MAILPIPE_DRAIN_S={self.drain_s} must be greater than "
                f"MAILPIPE_SENDER_SES_TIMEOUT_S={self.ses_timeout_s}: a send in flight has to end"
            )
        if self.excess_max_s < self.excess_min_s:
            faults.append(
                f"MAILPIPE_SENDER_EXCESS_MAX_S={self.excess_max_s} must be at least "
                f"MAILPIPE_SENDER_EXCESS_MIN_S={self.excess_min_s}"
            )
        astray_s = self.lateness_s + 2 * self.clock_budget_s
        if not self.local and astray_s > self.spread_s:
            faults.append(
                f"MAILPIPE_SENDER_SPREAD_S={self.spread_s} must be at least "
                "MAILPIPE_SENDER_LATENESS_S and twice MAILPIPE_SENDER_CLOCK_BUDGET_S together "
                f"({astray_s:g}): the rate leaves no room for more"
            )
        if self.trust_sender_id and not self.trusted_principals:
            faults.append(
                "MAILPIPE_SENDER_TRUSTED_PRINCIPALS is missing: expected the ids of the roles "
                "of ingest, senders and operators (aws iam get-role --query Role.RoleId), or else "
                "their mail would be quarantined; MAILPIPE_SENDER_TRUST_SENDER_ID=0 does without "
                "the check"
            )
        return faults
