"""The operations on the account and on configuration sets.

SES API v2 reference, each operation by its name; as much of each answer as the account has to say.
"""

import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from infra.local.ses import refusals
from infra.local.ses.account import Account, ConfigurationSet
from infra.local.ses.events import API_NAMES
from infra.local.ses.operations import Operation, named, page, read
from infra.local.ses.refusals import Refusal, bad, missing, not_found

TESTED = b"Successfully validated SNS topic for Amazon SES event publishing."
"""What SES publishes when a destination is made: plain text, not JSON."""
MAX_DESTINATIONS = 10


class _Sending(Struct, rename="pascal"):
    sending_enabled: bool = False


class _Destination(Struct, rename="pascal", forbid_unknown_fields=True):
    """Also how it is kept, but for its name."""

    matching_event_types: list[Literal[tuple(API_NAMES.values())]] = []  # type: ignore[valid-type]
    enabled: bool = False
    sns_destination: dict[str, str] | None = None


class _NewDestination(Struct, rename="pascal", forbid_unknown_fields=True):
    event_destination: _Destination | None = None
    event_destination_name: str | None = None


class _SendingOptions(Struct, rename="pascal"):
    sending_enabled: bool = True


class _NewSet(Struct, rename="pascal"):
    """Its other options change nothing here; they are given back as they came."""

    configuration_set_name: str | None = None
    sending_options: _SendingOptions = msgspec.field(default_factory=_SendingOptions)


class Sets:
    """The handlers. `publish(topic, body)` is SNS."""

    def __init__(self, account: Account, publish: Callable[[str, bytes], None]) -> None:
        self._account, self._publish = account, publish

    def operations(self) -> list[Operation]:
        """Those of this file."""
        sets, one_set = "/v2/email/configuration-sets", "/v2/email/configuration-sets/{set}"
        found, one_found = one_set + "/event-destinations", one_set + "/event-destinations/{name}"
        return [
            ("GET", "/v2/email/account", "GetAccount", self._get_account),
            ("PUT", "/v2/email/account/sending", "PutAccountSendingAttributes", self._sending),
            ("POST", sets, "CreateConfigurationSet", self._create_set),
            ("GET", sets, "ListConfigurationSets", self._list_sets),
            (
                *("POST", "/v2/email/list-configuration-sets", "ListConfigurationSets"),
                self._list_sets,
            ),
            ("GET", one_set, "GetConfigurationSet", self._get_set),
            ("DELETE", one_set, "DeleteConfigurationSet", self._delete_set),
            ("PUT", one_set + "/sending", "PutConfigurationSetSendingOptions", self._set_sending),
            ("POST", found, "CreateConfigurationSetEventDestination", self._create_destination),
            ("GET", found, "GetConfigurationSetEventDestinations", self._get_destinations),
            ("PUT", one_found, "UpdateConfigurationSetEventDestination", self._update_destination),
            (
                *("DELETE", one_found, "DeleteConfigurationSetEventDestination"),
                self._delete_destination,
            ),
        ]

    def _get_account(self, _: web.Request, __: bytes) -> dict[str, Any]:
        switches, now = self._account.switches, time.monotonic()
        return {
            "SendQuota": {
                "Max24HourSend": switches.max_24_hour_send,
                "MaxSendRate": switches.max_send_rate,
                "SentLast24Hours": float(self._account.quota.sent_last_24_hours(now)),
            },
            "SendingEnabled": switches.sending_enabled and not switches.suspended,
            "ProductionAccessEnabled": switches.production_access,
            "EnforcementStatus": "SHUTDOWN" if switches.suspended else "HEALTHY",
            "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
        }

    def _sending(self, _: web.Request, body: bytes) -> dict[str, Any]:
        self._account.change({"sendingEnabled": read(body, _Sending).sending_enabled})
        return {}

    def _create_set(self, _: web.Request, body: bytes) -> dict[str, Any]:
        wanted = read(body, _NewSet)
        name = named("configurationSetName", wanted.configuration_set_name)
        if name in self._account.sets:
            raise refusals.already_exists(f"Configuration set <{name}> already exists.")
        made = ConfigurationSet(name, msgspec.json.decode(body))
        made.sending_enabled = wanted.sending_options.sending_enabled
        self._account.sets[name] = made
        return {}

    def _list_sets(self, request: web.Request, body: bytes) -> dict[str, Any]:
        return page(request, body, "ConfigurationSets", sorted(self._account.sets))

    def _set(self, request: web.Request) -> ConfigurationSet:
        name = request.match_info["set"]
        if name not in self._account.sets:
            raise refusals.no_such_set(name)
        return self._account.sets[name]

    def _get_set(self, request: web.Request, _: bytes) -> dict[str, Any]:
        found = self._set(request)
        return {**found.given, "SendingOptions": {"SendingEnabled": found.sending_enabled}}

    def _delete_set(self, request: web.Request, _: bytes) -> dict[str, Any]:
        del self._account.sets[self._set(request).name]
        return {}

    def _set_sending(self, request: web.Request, body: bytes) -> dict[str, Any]:
        self._set(request).sending_enabled = read(body, _Sending).sending_enabled
        return {}

    def _create_destination(self, request: web.Request, body: bytes) -> dict[str, Any]:
        known, wanted = self._set(request), read(body, _NewDestination)
        name = named("eventDestinationName", wanted.event_destination_name)
        if name in known.destinations:
            raise refusals.already_exists(f"Event destination <{name}> already exists.")
        if len(known.destinations) >= MAX_DESTINATIONS:
            text = f"At most {MAX_DESTINATIONS} event destinations for a configuration set."
            raise Refusal(400, "LimitExceededException", text)
        topic = self._keep_destination(known, name, wanted.event_destination)
        if topic is not None:
            self._publish(topic, TESTED)
        return {}

    def _update_destination(self, request: web.Request, body: bytes) -> dict[str, Any]:
        known, name = self._set(request), self._destination(request)
        self._keep_destination(known, name, read(body, _NewDestination).event_destination)
        return {}

    def _keep_destination(
        self, known: ConfigurationSet, name: str, wanted: _Destination | None
    ) -> str | None:
        """Its topic, if it has one."""
        if wanted is None:
            raise missing("eventDestination")
        if not wanted.matching_event_types:
            raise bad("An event destination must match at least one event type.")
        topic = (wanted.sns_destination or {}).get("TopicArn")
        if not (topic or "").startswith("arn:aws:sns:"):
            raise bad(f"Invalid SNS topic ARN: {topic}")
        kept: dict[str, Any] = {"MatchingEventTypes": wanted.matching_event_types}
        kept |= {"Enabled": wanted.enabled, "SnsDestination": wanted.sns_destination}
        known.destinations[name] = {key: one for key, one in kept.items() if one is not None}
        known.changed()
        return topic

    def _destination(self, request: web.Request) -> str:
        name = request.match_info["name"]
        if name not in self._set(request).destinations:
            raise not_found(f"Event destination <{name}> does not exist.")
        return name

    def _get_destinations(self, request: web.Request, _: bytes) -> dict[str, Any]:
        found = self._set(request).destinations
        return {"EventDestinations": [{"Name": name, **one} for name, one in found.items()]}

    def _delete_destination(self, request: web.Request, _: bytes) -> dict[str, Any]:
        known = self._set(request)
        del known.destinations[self._destination(request)]
        known.changed()
        return {}
