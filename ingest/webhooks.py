"""`POST /webhooks`, `GET /webhooks`, `DELETE /webhooks/{id}`: a tenant's endpoints."""

import base64
import re
import secrets
from functools import partial

import msgspec
from aiohttp import web

from ingest import strict_json
from ingest.answers import answer
from ingest.errors import invalid, not_found
from ingest.guard import Guard
from ingest.limits import FORM_BYTES
from ingest.schemas import AddWebhook, CreatedWebhook, Removed, Webhook, WebhookList
from mailpipe import resources
from mailpipe.aws.table import Tables
from mailpipe.endpoints import MAX_ENDPOINTS, TYPES, Endpoint
from mailpipe.partiql import delete_from, insert_into
from mailpipe.records import Attributes
from mailpipe.rules import Violation
from mailpipe.targets import check_url

SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64."""

NO_ENDPOINT = "There is no endpoint with this id."

_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{resources.MAX_ID_CHARS}}}")
_decode = partial(strict_json.read, msgspec.json.Decoder(AddWebhook))


class WebhookEndpoints:
    """Makes, lists and removes endpoints. Senders of events see a change within 5 seconds."""

    def __init__(self, guard: Guard, tables: Tables, *, prefix: str, local: bool) -> None:
        self._guard = guard
        self._tables = tables
        self._prefix = prefix
        self._local = local

    async def create(self, request: web.Request) -> web.Response:
        """A new endpoint; its secret is in this answer and in no other."""
        grant = await self._guard.admit(request, "admin")
        decoded = await self._guard.decoded(request, _decode, max_bytes=FORM_BYTES)
        violation = check_url(decoded.url, local=self._local) or _check_types(decoded.types)
        if violation is not None:
            raise invalid(violation)
        if len(await self._of(grant.tenant)) >= MAX_ENDPOINTS:
            text = f"There are {MAX_ENDPOINTS} endpoints already; delete one first."
            raise invalid(Violation("url", "max_items", text))
        made = Endpoint(
            tenant=grant.tenant,
            endpoint=f"ep_{secrets.token_hex(8)}",
            url=decoded.url,
            secrets=["whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()],
            types=list(dict.fromkeys(decoded.types)),
        )
        item: Attributes = msgspec.to_builtins(made)
        await self._tables.write(insert_into(self._prefix, resources.WEBHOOK_ENDPOINTS, item))
        created = CreatedWebhook(
            id=made.endpoint,
            url=made.url,
            types=made.types,
            enabled=made.enabled,
            secret=made.secrets[0],
        )
        return answer(created, status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """All endpoints, without their secrets."""
        grant = await self._guard.admit(request, "read")
        shown = [
            Webhook(id=one.endpoint, url=one.url, types=one.types, enabled=one.enabled)
            for one in await self._of(grant.tenant)
        ]
        return answer(WebhookList(webhooks=shown))

    async def remove(self, request: web.Request) -> web.Response:
        """Remove an endpoint: 404 when it is none of the tenant's."""
        grant = await self._guard.admit(request, "admin")
        key: Attributes = {"tenant": grant.tenant, "endpoint": request.match_info["id"]}
        if not _ID.fullmatch(request.match_info["id"]):  # DynamoDB takes no key of any length
            raise not_found(NO_ENDPOINT)
        if await self._tables.get(resources.WEBHOOK_ENDPOINTS, key) is None:
            raise not_found(NO_ENDPOINT)
        await self._tables.write(delete_from(self._prefix, resources.WEBHOOK_ENDPOINTS, key))
        return answer(Removed())

    async def _of(self, tenant: str) -> list[Endpoint]:
        items = await self._tables.partition(resources.WEBHOOK_ENDPOINTS, tenant)
        return [msgspec.convert(item, Endpoint) for item in items]


def _check_types(types: list[str]) -> Violation | None:
    for index, one in enumerate(types):
        if one not in TYPES:
            text = f"types[{index}] is no type of event; there are {', '.join(TYPES)}."
            return Violation(f"types[{index}]", "enum", text)
    return None
