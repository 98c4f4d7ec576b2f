"""What becomes of an accepted message: its events, about whom, how much later. Pure.

An address of SES's mailbox simulator has the fate of its local part, labels (`bounce+x@`) included
(SES Developer Guide, "Using the mailbox simulator"). Any other address has a fate of its own, the
same at every mail: a hash of the seed and the address, held against the profile's shares.
"""

from collections.abc import Callable
from hashlib import blake2b
from random import Random
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from infra.local.ses.account import SIMULATOR_DOMAIN

Share = Annotated[float, Meta(ge=0, le=1)]
Range = tuple[Annotated[float, Meta(ge=0)], Annotated[float, Meta(ge=0)]]
"""From, to; milliseconds."""


class Profile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Ordinary addresses: which share of them does what, and how long everything takes.

    The first eight shares exclude each other; whoever is in none is delivered. `open`, `click`,
    `bot` and `unsubscribe` are shares of those that got the mail. All delays times `scale`.
    """

    bounce: Share = 0.0
    soft: Share = 0.0
    undetermined: Share = 0.0
    out_of_office: Share = 0.0
    complaint: Share = 0.0
    not_spam: Share = 0.0
    delay: Share = 0.0
    reject: Share = 0.0
    open: Share = 0.0
    click: Share = 0.0
    bot: Share = 0.0
    unsubscribe: Share = 0.0
    scale: Annotated[float, Meta(ge=0, le=10_000)] = 1.0
    send_ms: Range = (5, 20)
    delivery_ms: Range = (50, 150)
    bounce_ms: Range = (50, 150)
    after_delivery_ms: Range = (100, 200)
    engagement_ms: Range = (200, 1000)


_FATES = ("bounce", "soft", "undetermined", "out_of_office", "complaint", "not_spam", "delay")
_SIMULATED = {
    "bounce": "bounce",
    "complaint": "complaint",
    "ooto": "out_of_office",
    "suppressionlist": "suppressionlist",
}
_BOUNCES = {
    "bounce": ("Permanent", "General", "5.1.1", "smtp; 550 5.1.1 user unknown"),
    "soft": ("Transient", "MailboxFull", "4.2.2", "smtp; 452 4.2.2 mailbox full"),
    "undetermined": ("Undetermined", "Undetermined", None, None),
    "out_of_office": ("Transient", "General", None, None),
    "suppressionlist": (
        *("Permanent", "Suppressed", "5.1.1"),
        "Amazon SES has suppressed sending to this address because it has a recent history of "
        "bouncing as an invalid address.",
    ),
    "account_list": (
        *("Permanent", "OnAccountSuppressionList", "5.1.1"),
        "Amazon SES did not send the message to this address because it is on the suppression "
        "list for your account.",
    ),
}
_NAMES = ("bounceType", "bounceSubType", "status", "diagnosticCode")


class Due(NamedTuple):
    """An event `after_s` seconds from acceptance, about these recipients."""

    after_s: float
    event_type: str
    recipients: list[str]
    facts: dict[str, Any]


class Plan:
    """Plans messages by a profile; delays come from one seeded sequence."""

    def __init__(self, profile: Profile, seed: int) -> None:
        self.profile = profile
        self._seed = str(seed).encode()
        self._choice = Random(seed)  # noqa: S311 - reproducible on purpose
        shares = [(name, getattr(profile, name)) for name in _FATES]
        self._shares = [one for one in shares if one[1]]

    def events(
        self,
        recipients: list[str],
        *,
        infected: bool = False,
        is_suppressed: Callable[[str], bool] = lambda _: False,
    ) -> list[Due]:
        """The events of one message, the Send first."""
        if infected or self._rejects(recipients):
            reason = {"reason": "Bad content"}
            return [Due(self._delay(self.profile.delivery_ms), "Reject", recipients, reason)]
        due = [Due(self._delay(self.profile.send_ms), "Send", recipients, {})]
        bounced = dict[str, list[str]]()
        for recipient in recipients:
            fate = "account_list" if is_suppressed(recipient) else self._fate(recipient)
            if fate in _BOUNCES and fate != "out_of_office":
                # Several bounces of one message come as one event.
                bounced.setdefault(fate, []).append(recipient)
            else:
                self._delivered(due, recipient, fate)
        for fate, some in bounced.items():
            due.append(Due(self._delay(self.profile.bounce_ms), "Bounce", some, bounce(fate)))
        return due

    def _rejects(self, recipients: list[str]) -> bool:
        share = self.profile.reject
        return share > 0 and self._number(recipients[0], b"reject") < share

    def _delivered(self, due: list[Due], recipient: str, fate: str) -> None:
        profile, one = self.profile, [recipient]
        at = self._delay(profile.delivery_ms)
        if fate == "delay":
            due.append(Due(at, "DeliveryDelay", one, {"delayType": "MailboxFull"}))
            at += self._delay(profile.delivery_ms)
        due.append(Due(at, "Delivery", one, {}))
        after = at + self._delay(profile.after_delivery_ms)
        if fate in ("complaint", "not_spam"):
            kind = "abuse" if fate == "complaint" else "not-spam"
            due.append(Due(after, "Complaint", one, {"complaintFeedbackType": kind}))
        elif fate == "out_of_office":
            due.append(Due(after, "Bounce", one, bounce(fate)))
        if profile.open or profile.click or profile.bot or profile.unsubscribe:
            self._engaged(due, recipient, at)

    def _engaged(self, due: list[Due], recipient: str, at: float) -> None:
        profile, one = self.profile, [recipient]
        for share, event_type, facts in (
            (profile.open, "Open", {"isBotEvent": "Unlikely"}),
            (profile.click, "Click", {"isBotEvent": "Unlikely"}),
            (profile.bot, "Open", {"isBotEvent": "Likely"}),
            (profile.bot, "Click", {"isBotEvent": "Likely"}),
            (profile.unsubscribe, "Subscription", {}),
        ):
            salt = (event_type + facts.get("isBotEvent", "")).encode()
            if share and self._number(recipient, salt) < share:
                due.append(Due(at + self._delay(profile.engagement_ms), event_type, one, facts))

    def _fate(self, recipient: str) -> str:
        local, _, domain = recipient.lower().rpartition("@")
        if domain == SIMULATOR_DOMAIN:
            return _SIMULATED.get(local.partition("+")[0], "")
        if not self._shares:
            return ""
        number = self._number(recipient, b"fate")
        for name, share in self._shares:
            if number < share:
                return name
            number -= share
        return ""

    def _number(self, address: str, salt: bytes) -> float:
        """From 0 up to 1, the same for the same address."""
        digest = blake2b(address.lower().encode(), key=self._seed, salt=salt[:16], digest_size=8)
        return int.from_bytes(digest.digest()) / 2**64

    def _delay(self, given: Range) -> float:
        low, high = given
        return (low + (high - low) * self._choice.random()) / 1000 * self.profile.scale


def bounce(fate: str) -> dict[str, Any]:
    """What a bounce of this kind says."""
    return dict(zip(_NAMES, _BOUNCES[fate], strict=True))
