"""The account: limits, identities, configuration sets, suppression list, and who may send.

`Switches` are what a test turns while the simulator runs. The order in which SES checks is not
published; this one names the most general reason first.
"""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from infra.local.ses import refusals
from infra.local.ses.addresses import domain_of
from infra.local.ses.quota import Quota, Window
from infra.local.ses.sending import Message

SIMULATOR_DOMAIN = "simulator.amazonses.com"
_SIMULATED = "@" + SIMULATOR_DOMAIN


class Switches(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The account's state. `enforced`: calls over the rate are refused (else only logged);
    `api_rate`: calls a second of each operation but SendEmail, 0 for any number.
    """

    max_send_rate: Annotated[float, Meta(ge=0, le=1e9)] = 14.0
    max_24_hour_send: Annotated[float, Meta(ge=-1, le=1e12)] = 50_000.0
    enforced: bool = True
    api_rate: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    production_access: bool = True
    sending_enabled: bool = True
    suspended: bool = False
    revoked_identities: list[str] = []
    missing_configuration_sets: list[str] = []
    mail_from_not_verified: list[str] = []
    access_denied: list[str] = []


class ConfigurationSet:
    """Its switch, and its event destinations by name, as they were given."""

    def __init__(self, name: str, given: dict[str, Any]) -> None:
        self.name, self.given, self.sending_enabled = name, given, True
        self.destinations = dict[str, dict[str, Any]]()
        self.topics = dict[str, list[str]]()

    def changed(self) -> None:
        """Find the topics again after a destination was made, changed or deleted."""
        self.topics = {}
        for destination in self.destinations.values():
            topic = (destination.get("SnsDestination") or {}).get("TopicArn")
            if topic and destination.get("Enabled"):
                for event_type in destination["MatchingEventTypes"]:
                    self.topics.setdefault(event_type, []).append(topic)


class Identity:
    """A verified address or domain; `notifications`: topics of the older feedback form, by type."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notifications = dict[str, str]()


class Suppressed(NamedTuple):
    """An address of the account's suppression list, as it was given."""

    address: str
    reason: str
    at_s: float
    message_id: str | None = None
    feedback_id: str | None = None


class Account:
    """One account in one region. `calls` counts who (access key id) called which operation."""

    def __init__(self, region: str, switches: Switches) -> None:
        self.region, self.switches = region, switches
        self.quota = Quota()
        self.calls = Counter[tuple[str, str]]()
        self.sets = dict[str, ConfigurationSet]()
        self.identities = dict[str, Identity]()
        self.suppressed = dict[str, Suppressed]()
        self._windows = dict[str, Window]()

    def change(self, wanted: dict[str, Any]) -> None:
        """Turn some switches. Raises msgspec.ValidationError, and then turns none."""
        now = msgspec.to_builtins(self.switches)
        self.switches = msgspec.convert({**now, **wanted}, Switches)

    def called(self, operation: str, now: float) -> None:
        """An operation other than SendEmail was called. Raises Refusal."""
        self._permit(operation)
        if self.switches.api_rate:
            window = self._windows.setdefault(operation, Window(1.0))
            if window.count(now) >= self.switches.api_rate:
                raise refusals.api_rate()
            window.add(now, 1)

    def _permit(self, operation: str) -> None:
        if operation in self.switches.access_denied:
            raise refusals.access_denied(operation)

    def identity(self, given: str) -> Identity | None:
        """The most particular identity for an address: itself, its domain, a parent domain (SES
        Developer Guide, "Creating and verifying identities": sub-domains inherit).
        """
        address = canonical(given)
        if (found := self._verified(address)) is not None:
            return found
        domain = domain_of(address)
        while domain:
            if (found := self._verified(domain)) is not None:
                return found
            domain = domain.partition(".")[2]
        return None

    def _verified(self, name: str) -> Identity | None:
        revoked = self.switches.revoked_identities
        return None if revoked and name in map(canonical, revoked) else self.identities.get(name)

    def judge(self, message: Message) -> Identity:
        """The identity that may send this message. Raises Refusal."""
        switches = self.switches
        self._permit("SendEmail")
        if switches.suspended:
            raise refusals.suspended()
        if not switches.sending_enabled:
            raise refusals.paused()
        self._judge_set(message.configuration_set)
        identity = self.identity(message.sender)
        if identity is None:
            raise refusals.not_verified(self.region, message.sender)
        if not switches.production_access:
            self._judge_sandbox(message.recipients)
        if domain_of(message.sender) in switches.mail_from_not_verified:
            raise refusals.mail_from_not_verified(domain_of(message.sender))
        return identity

    def _judge_set(self, name: str | None) -> None:
        if name is None:
            return
        known = self.sets.get(name)
        if known is None or name in self.switches.missing_configuration_sets:
            raise refusals.no_such_set(name)
        if not known.sending_enabled:
            raise refusals.set_paused(name)

    def _judge_sandbox(self, recipients: Iterable[str]) -> None:
        strange = [
            one
            for one in recipients
            if domain_of(one) != SIMULATOR_DOMAIN and self.identity(one) is None
        ]
        if strange:
            raise refusals.not_verified(self.region, *strange)

    def admit(self, now: float, message: Message) -> str | None:
        """Count the message if the quota takes it. Why it is over the quota, if it is: it is then
        counted only when quotas are not enforced.
        """
        recipients, switches = message.recipients, self.switches
        real = sum([not one.lower().endswith(_SIMULATED) for one in recipients])
        over = self.quota.over(
            now,
            real=real,
            max_send_rate=switches.max_send_rate,
            max_24_hour_send=switches.max_24_hour_send,
        )
        if over is None or not switches.enforced:
            self.quota.add(now, recipients=len(recipients), real=real)
        return over

    def suppress(self, address: str, reason: str, *, message_id: str, feedback_id: str) -> None:
        """SES's own word on an address; the mailbox simulator's have none."""
        if domain_of(address) != SIMULATOR_DOMAIN:
            found = Suppressed(address, reason, time.time(), message_id, feedback_id)
            self.suppressed.setdefault(address, found)

    def topics(self, configuration_set: str | None, event_type: str) -> list[str]:
        """Where events of this type go (`DELIVERY_DELAY`)."""
        known = self.sets.get(configuration_set or "")
        return [] if known is None else known.topics.get(event_type, [])


def canonical(identity: str) -> str:
    """An address or a domain, the domain in lower case (RFC 5321, 2.4)."""
    local, at, domain = identity.rpartition("@")
    return f"{local}{at}{domain.lower()}"
