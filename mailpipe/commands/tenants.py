"""`tenant create|list|show|set|disable|enable`."""

from typing import Any

import click

from mailpipe.commands.deployment import Deployment, runs
from mailpipe.commands.output import Output, when
from mailpipe.commands.parameters import Domain, Principal, TenantId, several
from mailpipe.records import Attributes
from mailpipe.tenants import Tenant

COLUMNS = ("tenant", "enabled", "domains", "maxPerSecond", "retentionDays", "principals")


def shown(tenant: Tenant) -> dict[str, Any]:
    """A tenant as commands print it."""
    return {
        "tenant": tenant.tenant,
        "enabled": tenant.enabled,
        "domains": tenant.domains,
        "maxPerSecond": tenant.max_per_second,
        "retentionDays": tenant.retention_days,
        "principals": tenant.principals,
        "createdAt": when(tenant.created_at),
    }


@click.group()
def tenant() -> None:
    """Who mail belongs to, and what each may do. Changes take effect within 5 seconds."""


def _settings(command: Any) -> Any:
    """The options of `create` and `set`."""
    for option in reversed(
        (
            click.option(
                "--domain",
                "domains",
                type=Domain(),
                multiple=True,
                help="From domain that it may use; repeat for more. None: any ('' empties).",
            ),
            click.option(
                "--max-per-second",
                type=click.IntRange(0, 1_000_000),
                help="Mails a second of all its keys, in each ingest process; 0 = no own limit.",
            ),
            click.option(
                "--retention-days",
                type=click.IntRange(0, 3650),
                help="Days that its records are kept after their end (30 at least); 0 = as usual.",
            ),
            click.option(
                "--principal",
                "principals",
                type=Principal(),
                multiple=True,
                help="Unique id of an IAM user or role that may enqueue for it; repeat for more.",
            ),
        )
    ):
        command = option(command)
    return command


def _changes(given: dict[str, Any]) -> Attributes:
    """What was given, named as in the item."""
    changes: Attributes = {}
    for name in ("domains", "principals"):
        if given[name]:
            changes[name] = list[Any](several(given[name]))
    for option, name in (("max_per_second", "maxPerSecond"), ("retention_days", "retentionDays")):
        if given[option] is not None:
            changes[name] = given[option]
    return changes


@tenant.command()
@click.argument("name", type=TenantId())
@_settings
@runs
async def create(deployment: Deployment, output: Output, name: str, **given: Any) -> None:
    """Make a tenant."""
    administration = await deployment.administration()
    made = Tenant(
        tenant=name,
        domains=several(given["domains"]),
        principals=several(given["principals"]),
        max_per_second=given["max_per_second"] or 0,
        retention_days=given["retention_days"] or 0,
    )
    output.one(shown(await administration.create_tenant(made)))


@tenant.command(name="list")
@runs
async def list_(deployment: Deployment, output: Output) -> None:
    """All tenants."""
    found = await (await deployment.administration()).tenants()
    output.many(map(shown, found), COLUMNS, none="There is no tenant.")


@tenant.command()
@click.argument("name", type=TenantId())
@runs
async def show(deployment: Deployment, output: Output, name: str) -> None:
    """One tenant."""
    output.one(shown(await (await deployment.administration()).tenant(name)))


@tenant.command(name="set")
@click.argument("name", type=TenantId())
@_settings
@runs
async def set_(deployment: Deployment, output: Output, name: str, **given: Any) -> None:
    """Change what is given, and leave the rest. A list is replaced as a whole."""
    changes = _changes(given)
    if not changes:
        raise click.UsageError("Say what to change: see --help.")
    administration = await deployment.administration()
    output.one(shown(await administration.change_tenant(name, changes)))


@tenant.command()
@click.argument("name", type=TenantId())
@runs
async def disable(deployment: Deployment, output: Output, name: str) -> None:
    """Refuse its keys and quarantine its mail that waits (`dlq redrive --reason tenant`)."""
    administration = await deployment.administration()
    output.one(shown(await administration.change_tenant(name, {"enabled": False})))


@tenant.command()
@click.argument("name", type=TenantId())
@runs
async def enable(deployment: Deployment, output: Output, name: str) -> None:
    """Let it send again."""
    administration = await deployment.administration()
    output.one(shown(await administration.change_tenant(name, {"enabled": True})))
