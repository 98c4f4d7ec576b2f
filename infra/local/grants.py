"""The tenants and keys that the corpus of both doors speaks of."""

import hashlib
from typing import Any

from infra.local.cloud import TENANT, clients
from infra.local.stack import Stack
from mailpipe import resources

SENDER_ID = "000000000000"
"""Everybody's in the local cloud; AWS says the unique id of a user or role."""
_TRUSTING: dict[str, Any] = {"enabled": {"BOOL": True}, "principals": {"L": [{"S": SENDER_ID}]}}
TENANTS: dict[str, dict[str, Any]] = {
    TENANT: _TRUSTING,
    "doors-other": _TRUSTING,
    "doors-forged": {"enabled": {"BOOL": True}},
    "doors-disabled": _TRUSTING | {"enabled": {"BOOL": False}},
    "doors-limited": _TRUSTING | {"maxPerSecond": {"N": "2"}},
    "doors-domains": _TRUSTING
    | {"domains": {"L": [{"S": "Shop.example"}, {"S": "b\u00fccher.example"}]}},
}
TRUST = {
    "MAILPIPE_SENDER_TRUST_SENDER_ID": "1",
    "MAILPIPE_SENDER_TRUSTED_PRINCIPALS": "AROANOBODYATALL1",
}
"""Settings with which a tenant's principals alone may speak for it."""
EVERYTHING = ("send", "read", "admin")
KEYS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "mp_doors_revoked": (TENANT, EVERYTHING, {"enabled": {"BOOL": False}}),
    "mp_doors_expired": (TENANT, EVERYTHING, {"expiresAt": {"N": "1"}}),
    "mp_doors_reader": (TENANT, ("read",), {}),
    "mp_doors_sender": (TENANT, ("send",), {}),
    "mp_doors_other": ("doors-other", EVERYTHING, {}),
    "mp_doors_disabled": ("doors-disabled", EVERYTHING, {}),
    "mp_doors_limited": ("doors-limited", EVERYTHING, {}),
    "mp_doors_domains": ("doors-domains", EVERYTHING, {}),
}
"""Tenant, scopes, and what else is stored with the key."""


def key_of(tenant: str) -> str:
    """A key that may do everything, of one of the tenants above."""
    return "mp_" + tenant.replace("-", "_")


def add_doors(stack: Stack) -> None:
    """Put them into the `Access` table."""
    client: Any = clients(stack.cloud_url)("dynamodb")
    table = resources.physical(stack.plan.prefix, resources.ACCESS)
    for name, settings in TENANTS.items():
        client.put_item(
            TableName=table, Item={"kind": {"S": "tenant"}, "id": {"S": name}, **settings}
        )
    for key, (tenant, scopes, more) in KEYS.items():
        item = {
            "kind": {"S": "key"},
            "id": {"S": hashlib.sha256(key.encode()).hexdigest()},
            "tenant": {"S": tenant},
            "scopes": {"L": [{"S": scope} for scope in scopes]},
            "enabled": {"BOOL": True},
        }
        client.put_item(TableName=table, Item=item | more)
