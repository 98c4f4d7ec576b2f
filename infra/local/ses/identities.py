"""The operations on identities and on the account's suppression list.

SES API v2 reference, each operation by its name; as much of each answer as the account has to say.
"""

import time
from typing import Any, Literal

from aiohttp import web
from msgspec import Struct

from infra.local.ses import refusals
from infra.local.ses.account import Account, Identity, Suppressed, canonical
from infra.local.ses.operations import Operation, moment, page, read
from infra.local.ses.refusals import missing, not_found


class _NewIdentity(Struct, rename="pascal"):
    email_identity: str | None = None


class _NewSuppressed(Struct, rename="pascal"):
    email_address: str | None = None
    reason: Literal["BOUNCE", "COMPLAINT"] | None = None


class Identities:
    """The handlers."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def operations(self) -> list[Operation]:
        """Those of this file."""
        identities, one_identity = "/v2/email/identities", "/v2/email/identities/{identity}"
        listed = "/v2/email/suppression/addresses"
        one_listed = listed + "/{address}"
        return [
            ("POST", identities, "CreateEmailIdentity", self._create_identity),
            ("GET", identities, "ListEmailIdentities", self._list_identities),
            (
                *("POST", "/v2/email/list-identities", "ListEmailIdentities"),
                self._list_identities,
            ),
            ("GET", one_identity, "GetEmailIdentity", self._get_identity),
            ("DELETE", one_identity, "DeleteEmailIdentity", self._delete_identity),
            ("PUT", listed, "PutSuppressedDestination", self._suppress),
            ("GET", listed, "ListSuppressedDestinations", self._list_suppressed),
            ("GET", one_listed, "GetSuppressedDestination", self._get_suppressed),
            ("DELETE", one_listed, "DeleteSuppressedDestination", self._release),
        ]

    def _create_identity(self, _: web.Request, body: bytes) -> dict[str, Any]:
        given = read(body, _NewIdentity).email_identity
        if not given:
            raise missing("emailIdentity")
        name = canonical(given)
        if name in self._account.identities:
            raise refusals.already_exists(f"Email identity {name} already exists.")
        self._account.identities[name] = Identity(name)
        # No DNS here: an identity is verified from the start; a switch revokes it.
        return {"IdentityType": _identity_type(name), "VerifiedForSendingStatus": True}

    def _list_identities(self, request: web.Request, body: bytes) -> dict[str, Any]:
        found = [self._described(name) for name in sorted(self._account.identities)]
        return page(request, body, "EmailIdentities", found)

    def _described(self, name: str) -> dict[str, Any]:
        verified = name not in self._account.switches.revoked_identities
        return {
            "IdentityType": _identity_type(name),
            "IdentityName": name,
            "SendingEnabled": verified,
            "VerificationStatus": "SUCCESS" if verified else "FAILED",
        }

    def _identity(self, request: web.Request) -> str:
        name = canonical(request.match_info["identity"])
        if name not in self._account.identities:
            raise not_found(f"Email identity {name} does not exist.")
        return name

    def _get_identity(self, request: web.Request, _: bytes) -> dict[str, Any]:
        found = self._described(self._identity(request))
        return {
            "IdentityType": found["IdentityType"],
            "VerifiedForSendingStatus": found["SendingEnabled"],
            "VerificationStatus": found["VerificationStatus"],
        }

    def _delete_identity(self, request: web.Request, _: bytes) -> dict[str, Any]:
        del self._account.identities[self._identity(request)]
        return {}

    def _suppress(self, _: web.Request, body: bytes) -> dict[str, Any]:
        wanted = read(body, _NewSuppressed)
        if not wanted.email_address:
            raise missing("emailAddress")
        if wanted.reason is None:
            raise missing("reason")
        one = Suppressed(wanted.email_address, wanted.reason, time.time())
        self._account.suppressed[one.address] = one
        return {}

    def _suppressed(self, request: web.Request) -> Suppressed:
        address = request.match_info["address"]
        # Case counts (SES Developer Guide, "Using the account-level suppression list").
        if address not in self._account.suppressed:
            raise not_found(f"Email address {address} does not exist on your suppression list.")
        return self._account.suppressed[address]

    def _get_suppressed(self, request: web.Request, _: bytes) -> dict[str, Any]:
        one = self._suppressed(request)
        said: dict[str, Any] = {
            "EmailAddress": one.address,
            "Reason": one.reason,
            "LastUpdateTime": one.at_s,
        }
        if one.message_id is not None:
            said["Attributes"] = {"MessageId": one.message_id, "FeedbackId": one.feedback_id}
        return {"SuppressedDestination": said}

    def _list_suppressed(self, request: web.Request, body: bytes) -> dict[str, Any]:
        reasons = request.query.getall("Reason", []) or ["BOUNCE", "COMPLAINT"]
        since = moment(request.query.get("StartDate"), 0.0)
        until = moment(request.query.get("EndDate"), float("inf"))
        found = [
            {"EmailAddress": one.address, "Reason": one.reason, "LastUpdateTime": one.at_s}
            for one in self._account.suppressed.values()
            if one.reason in reasons and since <= one.at_s < until
        ]
        return page(request, body, "SuppressedDestinationSummaries", found)

    def _release(self, request: web.Request, _: bytes) -> dict[str, Any]:
        del self._account.suppressed[self._suppressed(request).address]
        return {}


def _identity_type(name: str) -> str:
    return "EMAIL_ADDRESS" if "@" in name else "DOMAIN"
