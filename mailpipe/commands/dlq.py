"""`dlq list|show|redrive|purge`: the dead-letter queues."""

from collections import Counter
from typing import Any

import click
import msgspec

from mailpipe import resources
from mailpipe.aws.queue import Received
from mailpipe.commands.deployment import Deployment, runs
from mailpipe.commands.output import Output, when
from mailpipe.dead_letters import DeadLetters, Tally, reason, wanted
from mailpipe.timing import now_ms

SHOWN = ("buriedAt", "reason", "attempts", "emailId", "tenant", "body")
MAX_BODY_CHARS = 160


@click.group()
def dlq() -> None:
    """Messages that no repeat could help: each queue keeps them for 14 days beside it."""


_queue = click.argument("queue", type=click.Choice(tuple(resources.QUEUES)))
_reason = click.option("--reason", "kind", default=None, help="Only those of this reason.")
_limit = click.option("--limit", type=click.IntRange(1), default=None, help="At most so many.")
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


async def _letters(deployment: Deployment, queue: str) -> tuple[DeadLetters, int]:
    """Its dead letters as they are now, and about how many."""
    dead = await deployment.queue(resources.dead(queue), sender_ids=_judged(queue))
    depth = await dead.depth()
    return DeadLetters(dead, before_ms=now_ms()), depth.visible


def _judged(queue: str) -> bool:
    """Whether it is looked at who has sent its messages."""
    return queue in resources.LANES.values()


@dlq.command(name="list")
@runs
async def list_(deployment: Deployment, output: Output) -> None:
    """How many lie in each (about: SQS counts roughly). Those in hand are being looked at."""
    found = []
    for name in resources.QUEUES:
        depth = await (await deployment.queue(resources.dead(name))).depth()
        found.append({"queue": name, "messages": depth.visible, "inHand": depth.in_flight})
    output.many(found, ("queue", "messages", "inHand"), none="")


@dlq.command()
@_queue
@_reason
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@runs
async def show(
    deployment: Deployment, output: Output, queue: str, kind: str | None, limit: int
) -> None:
    """What lies there, and why. With --json: the whole messages."""
    letters, _ = await _letters(deployment, queue)
    found = await letters.look(wanted(kind), most=limit)
    documents = [_shown(message, whole=output.as_json) for message in found]
    output.many(documents, SHOWN, none="Nothing of this lies there.")


def _shown(message: Received, *, whole: bool) -> dict[str, Any]:
    names = _names(message.body)
    return {
        "messageId": message.message_id,
        "buriedAt": when(message.sent_at_ms),
        "reason": message.attributes.get("reason", reason(message)),
        "attempts": message.attributes.get("attempts"),
        "emailId": names.get("emailId"),
        "tenant": names.get("tenant"),
        "attributes": message.attributes,
        "body": message.body if whole else message.body[:MAX_BODY_CHARS],
    }


@dlq.command()
@_queue
@_reason
@_limit
@_dry_run
@click.option("--trust", is_flag=True, help="Vouch for mail of this --reason: it counts as yours.")
@runs
async def redrive(
    deployment: Deployment,
    output: Output,
    queue: str,
    kind: str | None,
    limit: int | None,
    dry_run: bool,
    trust: bool,
) -> None:
    """Put messages back onto their queue. Senders go on judging them by who sent them first, so
    those with a forged tenant (only by --reason auth) die again, unless you --trust them.
    """
    if trust and kind is None:
        raise click.UsageError("--trust needs a --reason: say what you vouch for.")
    letters, about = await _letters(deployment, queue)
    some = wanted(kind, forged=False)
    if dry_run:
        _would(output, queue, await letters.look(some, most=limit))
        return
    source = await deployment.queue(queue)
    await _note(deployment, "dlq.redriven", queue, kind=kind, limit=limit, trust=trust)
    with output.progress(f"redrive {queue}", min(about, limit or about)) as moved:
        tally = await letters.redrive(
            *(source, some), most=limit, moved=moved, vouched=trust or not _judged(queue)
        )
    await _done(deployment, output, queue, "put back", tally)


@dlq.command()
@_queue
@_reason
@_limit
@_dry_run
@click.option("--yes", is_flag=True, help="Do not ask.")
@runs
async def purge(
    deployment: Deployment,
    output: Output,
    queue: str,
    kind: str | None,
    limit: int | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Throw messages away, for ever."""
    letters, about = await _letters(deployment, queue)
    some = wanted(kind)
    if dry_run:
        _would(output, queue, await letters.look(some, most=limit))
        return
    if not yes:
        which = f"those of the reason '{kind}'" if kind else "all"
        click.confirm(
            f"Throw away {which} of about {about} messages of {queue}, for ever?",
            abort=True,
            err=True,
        )
    await _note(deployment, "dlq.purged", queue, kind=kind, limit=limit)
    with output.progress(f"purge {queue}", min(about, limit or about)) as moved:
        tally = await letters.purge(some, most=limit, moved=moved)
    await _done(deployment, output, queue, "thrown away", tally)


def _names(body: str) -> dict[str, Any]:
    """Who the message is of, where it can be read."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        return {}
    return found if isinstance(found, dict) else {}


async def _note(deployment: Deployment, action: str, queue: str, **what: Any) -> None:
    """Before the work: an end in between must not go unnoticed."""
    await (await deployment.audited()).write(action, resources.dead(queue), what=what)


def _would(output: Output, queue: str, found: list[Received]) -> None:
    output.one({"queue": queue, "would": len(found), "reasons": Counter(map(reason, found))})


async def _done(
    deployment: Deployment, output: Output, queue: str, done: str, tally: Tally
) -> None:
    depth = await (await deployment.queue(resources.dead(queue))).depth()
    output.one(
        {
            "queue": queue,
            "done": tally.done,
            "failed": tally.failed,
            "left": depth.visible + depth.in_flight,
            "reasons": tally.reasons,
        }
    )
    if tally.failed:
        cause = tally.fault.code if tally.fault else "unknown"
        raise click.ClickException(
            f"{tally.failed} messages of {queue} were not {done} ({cause}); they are still there."
        )
    output.say(f"{tally.done} {done}; about {depth.visible + depth.in_flight} left.")
