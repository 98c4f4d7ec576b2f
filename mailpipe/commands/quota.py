"""`quota`, `pause`, `resume`, `paused`, `cap`, `uncap`."""

from typing import Any

import click

from mailpipe.board import MILLI, Cap, Pause, Quota
from mailpipe.commands.deployment import Deployment, runs
from mailpipe.commands.output import Output, when
from mailpipe.commands.parameters import Capped, Scope, scope_text

PAUSED = ("scope", "reason", "by", "since", "nextProbe", "code")


def shown_pause(pause: Pause) -> dict[str, Any]:
    """A pause as commands print it."""
    return {
        "scope": scope_text(pause.scope),
        "reason": pause.reason,
        "by": pause.by,
        "since": when(pause.since),
        "nextProbe": when(pause.probe_at),
        "code": pause.code,
    }


def shown_cap(cap: Cap) -> dict[str, Any]:
    """A cap as commands print it."""
    return {"scope": scope_text(cap.scope), "perSecond": cap.rate}


def shown_quota(known: Quota) -> dict[str, Any]:
    """SES's quota as commands print it."""
    return {
        "perSecond": known.rate,
        "perDay": known.max_24_hour,
        "sentIn24Hours": known.sent_24_hours,
        "sendingEnabled": known.sending_enabled,
        "enforcement": known.enforcement,
        "senders": known.senders,
        "readAt": when(known.read_at),
    }


@click.command()
@runs
async def quota(deployment: Deployment, output: Output) -> None:
    """SES's quota as the senders have last read it, what is capped and how much is paused."""
    reading = await (await deployment.steering()).reading()
    if reading.quota is None:
        raise click.ClickException("No sender has read SES's quota yet: does one run?")
    caps = [shown_cap(one) for one in reading.caps.values()]
    output.one({**shown_quota(reading.quota), "caps": caps, "paused": len(reading.pauses)})


@click.command()
@click.argument("scope", type=Scope())
@click.option("--reason", default="by hand", show_default=True, help="For who looks at it later.")
@runs
async def pause(deployment: Deployment, output: Output, scope: str, reason: str) -> None:
    """Let mail wait until `resume`: its senders neither send nor fail it, and it does not expire.

    SCOPE is account, set:enterprise-email, identity:ADDRESS-OR-DOMAIN, domain:FROM-DOMAIN or
    tenant:TENANT:STREAM.
    """
    output.one(shown_pause(await (await deployment.steering()).pause(scope, reason[:200])))


@click.command()
@click.argument("scope", type=Scope())
@runs
async def resume(deployment: Deployment, output: Output, scope: str) -> None:
    """Let mail of SCOPE (see `pause`) go on, whoever has paused it."""
    await (await deployment.steering()).resume(scope)
    output.one({"scope": scope_text(scope), "paused": False})


@click.command()
@runs
async def paused(deployment: Deployment, output: Output) -> None:
    """What is paused, why, since when, and when one mail tries again."""
    reading = await (await deployment.steering()).reading()
    longest_first = sorted(reading.pauses.values(), key=lambda one: one.since)
    output.many(map(shown_pause, longest_first), PAUSED, none="Nothing is paused.")


@click.command()
@click.argument("scope", type=Capped())
@click.argument("per_second", type=click.FloatRange(0.001, 1_000_000))
@runs
async def cap(deployment: Deployment, output: Output, scope: str, per_second: float) -> None:
    """Send at most PER_SECOND recipients a second of SCOPE: tenant:TENANT or domain:FROM-DOMAIN."""
    made = await (await deployment.steering()).cap(scope, round(per_second * MILLI))
    output.one(shown_cap(made))


@click.command()
@click.argument("scope", type=Capped())
@runs
async def uncap(deployment: Deployment, output: Output, scope: str) -> None:
    """Take the cap of SCOPE away."""
    await (await deployment.steering()).uncap(scope)
    output.one({"scope": scope_text(scope), "perSecond": None})
