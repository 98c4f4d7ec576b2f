"""`suppression add|remove|list|check`: addresses that get no mail."""

import os
from typing import Any, Literal

import click

from mailpipe import resources
from mailpipe import suppression as rules
from mailpipe.addresses import BadAddress, parse
from mailpipe.audit import NotDone
from mailpipe.aws.together import Remove, Save
from mailpipe.commands.deployment import Deployment, runs
from mailpipe.commands.output import Output, when
from mailpipe.commands.parameters import tenant_option
from mailpipe.records import Attributes
from mailpipe.timing import now_ms

COLUMNS = ("email", "reason", "scope", "addedAt", "expiresAt")
PAGE = 200
HASH_KEY = "MAILPIPE_ADDRESS_HASH_KEY"
_SHOWN_HASH_CHARS = 16


def shown(item: Attributes) -> dict[str, Any]:
    """An entry as commands print it."""
    added_at, ttl = item.get("addedAt"), item.get("ttl")
    return {
        "email": item.get("address"),
        "tenant": item["tenant"],
        "reason": item.get("reason"),
        "scope": item.get("scope", rules.ALL_STREAMS),
        "bounceType": item.get("bounceType") or None,
        "addedAt": when(added_at if isinstance(added_at, int) else None),
        "expiresAt": when(ttl * 1000 if isinstance(ttl, int) else None),
    }


@click.group()
def suppression() -> None:
    """Addresses that get no mail. They are found by a hash that MAILPIPE_ADDRESS_HASH_KEY keys."""


class Mailbox(click.ParamType[str]):
    """An e-mail address."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address as it was written."""
        try:
            parse(value)
        except BadAddress as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        return str(value)


_address = click.argument("email", type=Mailbox())
_everyone = click.option("--all-tenants", is_flag=True, help="For every tenant, not only one.")


def _hash_key() -> bytes:
    """The deployment's secret: from the environment only, where other users do not see it."""
    key = os.environ.get(HASH_KEY, "")
    if not key:
        raise NotDone(f"{HASH_KEY} is missing: the secret of this deployment (docs/aws.md).")
    return key.encode()


def _on(key: Attributes) -> str:
    """What the audit calls an entry: its hash tells the address to nobody."""
    return f"{key['tenant']}/{str(key['addressHash'])[:_SHOWN_HASH_CHARS]}"


@suppression.command()
@_address
@tenant_option
@_everyone
@click.option(
    "--scope",
    type=click.Choice((rules.ALL_STREAMS, rules.BULK_ONLY)),
    default=rules.ALL_STREAMS,
    show_default=True,
    help="All mail, or bulk mail only.",
)
@runs
async def add(
    deployment: Deployment,
    output: Output,
    email: str,
    tenant: str,
    all_tenants: bool,
    scope: Literal["all", "bulk"],
) -> None:
    """Put an address on the list. What stops it already, for as much and for ever, stays."""
    owner = rules.ALL_TENANTS if all_tenants else tenant
    wanted = rules.item_for(
        _hash_key(), owner, email, reason=rules.MANUAL, scope=scope, added_at_ms=now_ms()
    )
    key = rules.key_of(_hash_key(), owner, email)
    old = await (await deployment.tables()).get(resources.SUPPRESSION_LIST, key)
    if old is not None and rules.covers(old, scope):
        output.one(shown(old))
        return
    made = wanted if old is None else _widened(old, wanted)
    save = Save(resources.SUPPRESSION_LIST, made, old or {})
    audited = await deployment.audited()
    await audited.write("suppression.added", _on(key), [save], what={"scope": made["scope"]})
    output.one(shown(made))


def _widened(old: Attributes, wanted: Attributes) -> Attributes:
    """What is there, made to stop what is wanted too; never narrowed."""
    kept = {name: value for name, value in old.items() if name != "ttl"}
    scope = rules.joined_scope(old, str(wanted["scope"]))
    return kept | {"reason": rules.MANUAL, "scope": scope, "addedAt": wanted["addedAt"]}


@suppression.command()
@_address
@tenant_option
@_everyone
@runs
async def remove(
    deployment: Deployment, output: Output, email: str, tenant: str, all_tenants: bool
) -> None:
    """Take an address off the list."""
    key = rules.key_of(_hash_key(), rules.ALL_TENANTS if all_tenants else tenant, email)
    gone = Remove(resources.SUPPRESSION_LIST, key)
    audited = await deployment.audited()
    await audited.write(
        "suppression.removed",
        _on(key),
        [gone],
        what={},
        otherwise="This address is not on the list.",
    )
    output.one({"email": email, "tenant": key["tenant"], "removed": True})


@suppression.command()
@_address
@tenant_option
@runs
async def check(deployment: Deployment, output: Output, email: str, tenant: str) -> None:
    """What keeps mail of this tenant from this address: its own entry, and that for everyone."""
    tables = await deployment.tables()
    keys = [rules.key_of(_hash_key(), one, email) for one in (tenant, rules.ALL_TENANTS)]
    found = await tables.get_all(resources.SUPPRESSION_LIST, keys)
    live = [one for one in found if rules.lives(one, now_s=now_ms() // 1000)]
    if output.as_json:
        output.one({"email": email, "suppressed": bool(live), "entries": [*map(shown, live)]})
        return
    output.many(map(shown, live), ("tenant", *COLUMNS), none="Nothing stops it.")


@suppression.command(name="list")
@tenant_option
@_everyone
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@runs
async def list_(
    deployment: Deployment, output: Output, tenant: str, all_tenants: bool, limit: int
) -> None:
    """The addresses of a tenant's list, in no order that means anything."""
    tables, found, after = await deployment.tables(), list[Attributes](), None
    while len(found) < limit:
        page = await tables.page(
            resources.SUPPRESSION_LIST,
            rules.ALL_TENANTS if all_tenants else tenant,
            between=rules.HASHES,
            after=after,
            limit=PAGE,
        )
        found += [one for one in page.items if rules.lives(one, now_s=now_ms() // 1000)]
        after = page.last
        if after is None:
            break
    output.many(map(shown, found[:limit]), COLUMNS, none="The list is empty.")
