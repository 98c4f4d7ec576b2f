"""The account's own operations, and bytes that no SDK would send."""

from typing import Any

from loadtest.corpus.row import API, COMMON, GUIDE, MAIL, QUOTAS, Row, mail, posted, send

OUTBOUND = "/v2/email/outbound-emails"


def call(operation: str, expected: str, params: dict[str, Any] | None = None, **more: Any) -> Row:
    """Another operation; its page is its source."""
    source = more.pop("source", f"{API}, {operation}")
    return Row(source=source, operation=operation, params=params or {}, expected=expected, **more)


NEW_SET, NEW_DOMAIN = {"ConfigurationSetName": "prove"}, {"EmailIdentity": "prove.example"}
TOPIC = {"TopicArn": "arn:aws:sns:us-east-1:000000000000:mailpipe-ses-send-topic"}
DESTINATION = {"Enabled": True, "MatchingEventTypes": ["SEND"], "SnsDestination": TOPIC}
NAMED = {**NEW_SET, "EventDestinationName": "one"}
HELD = {"EmailAddress": "Held@example.net"}

OPERATIONS = [
    call("GetAccount", "200 SendQuota", cli=True),
    call("GetAccount", "200 SendQuota", source=QUOTAS, switches={"apiRate": 1}),
    call("GetAccount", "429 TooManyRequestsException", source=QUOTAS, switches={"apiRate": 1}),
    call("PutAccountSendingAttributes", "200", {"SendingEnabled": False}, cli=True),
    send(f"{API}, PutAccountSendingAttributes", MAIL, "400 SendingPausedException", cli=True),
    call("PutAccountSendingAttributes", "200", {"SendingEnabled": True}),
    call("CreateConfigurationSet", "200", NEW_SET, cli=True),
    call("CreateConfigurationSet", "400 AlreadyExistsException", NEW_SET),
    call("CreateConfigurationSet", "400 BadRequestException", {"ConfigurationSetName": "a b"}),
    call("ListConfigurationSets", "200 ConfigurationSets"),
    call("GetConfigurationSet", "200 ConfigurationSetName", NEW_SET),
    call("GetConfigurationSet", "404 NotFoundException", {"ConfigurationSetName": "none"}),
    call(
        "CreateConfigurationSetEventDestination", "200", {**NAMED, "EventDestination": DESTINATION}
    ),
    call(
        "CreateConfigurationSetEventDestination",
        "400 AlreadyExistsException",
        {**NAMED, "EventDestination": DESTINATION},
    ),
    call(
        "CreateConfigurationSetEventDestination",
        "400 BadRequestException",
        {**NEW_SET, "EventDestinationName": "two", "EventDestination": {"MatchingEventTypes": []}},
    ),
    call(
        "UpdateConfigurationSetEventDestination",
        "200",
        {**NAMED, "EventDestination": {**DESTINATION, "Enabled": False}},
    ),
    call("GetConfigurationSetEventDestinations", "200 EventDestinations", NEW_SET),
    call("DeleteConfigurationSetEventDestination", "200", NAMED),
    call("DeleteConfigurationSetEventDestination", "404 NotFoundException", NAMED),
    call(
        "CreateConfigurationSetEventDestination",
        "400 BadRequestException",
        {
            **NEW_SET,
            "EventDestinationName": "two",
            "EventDestination": {"MatchingEventTypes": ["SEND"]},
        },
    ),
    call("PutConfigurationSetSendingOptions", "200", {**NEW_SET, "SendingEnabled": False}),
    send(
        f"{API}, PutConfigurationSetSendingOptions",
        mail(**NEW_SET),
        "400 SendingPausedException",
    ),
    call("DeleteConfigurationSet", "200", NEW_SET),
    call("DeleteConfigurationSet", "404 NotFoundException", NEW_SET),
    call("CreateEmailIdentity", "200 IdentityType", NEW_DOMAIN),
    call("CreateEmailIdentity", "400 AlreadyExistsException", NEW_DOMAIN),
    call("GetEmailIdentity", "200 VerifiedForSendingStatus", NEW_DOMAIN),
    call("ListEmailIdentities", "200 EmailIdentities", cli=True),
    call("DeleteEmailIdentity", "200", NEW_DOMAIN),
    call("GetEmailIdentity", "404 NotFoundException", NEW_DOMAIN),
    call("PutSuppressedDestination", "200", {**HELD, "Reason": "BOUNCE"}),
    call("GetSuppressedDestination", "200 SuppressedDestination", HELD),
    call(
        "GetSuppressedDestination",
        "404 NotFoundException",
        {"EmailAddress": "held@example.net"},
        source=f"{GUIDE}, Using the account-level suppression list",
    ),
    call("ListSuppressedDestinations", "200 SuppressedDestinationSummaries"),
    call(
        "ListSuppressedDestinations",
        "200 SuppressedDestinationSummaries",
        {"StartDate": "2026-01-01T00:00:00Z"},
    ),
    call("ListSuppressedDestinations", "400 BadRequestException", {"PageSize": 0}),
    call("ListSuppressedDestinations", "400 InvalidNextTokenException", {"NextToken": "none"}),
    call("DeleteSuppressedDestination", "200", HELD),
    call("DeleteSuppressedDestination", "404 NotFoundException", HELD, cli=True),
]
BYTES = [
    posted(COMMON, "POST", OUTBOUND, b"{", "400 BadRequestException"),
    posted(COMMON, "POST", OUTBOUND, b"[]", "400 BadRequestException"),
    posted(COMMON, "POST", OUTBOUND, b'{"Content": 5}', "400 BadRequestException"),
    posted(COMMON, "POST", OUTBOUND, b'{"Content":{"Simple":{"Subject":{}}}}', "400 BadRequest"),
    posted(COMMON, "POST", OUTBOUND, b"x" * (61 * 1024 * 1024), "413 RequestEntityTooLarge"),
    posted(COMMON, "GET", "/v2/email/nothing", b"", "404 UnknownOperationException"),
    posted(COMMON, "PATCH", "/v2/email/account", b"", "404 UnknownOperationException"),
    posted(COMMON, "GET", "/", b"", "404 UnknownOperationException"),
]
