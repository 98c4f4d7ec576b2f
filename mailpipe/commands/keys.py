"""`keys create|list|revoke|expire`."""

from typing import Any, cast

import click

from mailpipe.commands.deployment import Deployment, runs
from mailpipe.commands.output import Output, when
from mailpipe.commands.parameters import Instant, TenantId, tenant_option
from mailpipe.keys import SCOPES, Key, Scope
from mailpipe.timing import now_ms

COLUMNS = ("key", "tenant", "scopes", "state", "createdAt", "expiresAt", "note")


def shown(key: Key) -> dict[str, Any]:
    """A key as commands print it; `key` is how it begins, never the key."""
    state = "active" if key.holds(now_ms()) else "expired" if key.enabled else "revoked"
    return {
        "key": key.name,
        "tenant": key.tenant,
        "scopes": key.scopes,
        "state": state,
        "createdAt": when(key.created_at),
        "expiresAt": when(key.expires_at),
        "revokedAt": when(key.revoked_at),
        "note": key.note,
        "hash": key.key_hash,
    }


@click.group()
def keys() -> None:
    """Keys of the REST API. Changes take effect within 5 seconds."""


@keys.command()
@tenant_option
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=("send", "read"),
    show_default=True,
    help="What it may do; repeat for more.",
)
@click.option("--expires", type=Instant(), default="never", help="30d, 12h, a time, or never.")
@click.option("--note", default="", help="What it is for.")
@runs
async def create(
    deployment: Deployment,
    output: Output,
    tenant: str,
    scopes: tuple[str, ...],
    expires: int,
    note: str,
) -> None:
    """Make a key. It is shown once; only its hash is stored."""
    if 0 < expires <= now_ms():
        raise click.UsageError("--expires lies in the past.")
    administration = await deployment.administration()
    made = await administration.create_key(
        tenant, cast(list[Scope], list(dict.fromkeys(scopes))), note=note, expires_at=expires
    )
    output.one({"apiKey": made.text, **shown(made.key)})
    output.say("The key is shown this once: keep it now.")


@keys.command(name="list")
@click.option("--tenant", type=TenantId(), default=None, help="Only those of this tenant.")
@runs
async def list_(deployment: Deployment, output: Output, tenant: str | None) -> None:
    """All keys, by how they begin."""
    found = await (await deployment.administration()).keys(tenant)
    output.many(map(shown, found), COLUMNS, none="There is no key.")


@keys.command()
@click.argument("key")
@runs
async def revoke(deployment: Deployment, output: Output, key: str) -> None:
    """End a key for ever. KEY is how it begins (`keys list`), the begin of its hash, or itself."""
    administration = await deployment.administration()
    output.one(shown(await administration.revoke_key(await administration.key(key))))


@keys.command()
@click.argument("key")
@click.argument("when", type=Instant(), metavar="WHEN")
@runs
async def expire(deployment: Deployment, output: Output, key: str, when: int) -> None:
    """End a key at a time: 30d, 12h, a time with its zone, or never."""
    administration = await deployment.administration()
    output.one(shown(await administration.expire_key(await administration.key(key), when)))
