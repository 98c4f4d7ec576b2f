"""`cancel` and `reschedule`: mail that no sender has had in hand yet."""

from typing import Any

import click

from mailpipe import resources
from mailpipe.audit import NotDone
from mailpipe.commands.deployment import Deployment, runs
from mailpipe.commands.output import Output, when
from mailpipe.commands.parameters import Instant
from mailpipe.recall import Recall, recall_of
from mailpipe.records import Record
from mailpipe.rules import Violation
from mailpipe.timing import now_ms
from mailpipe.unsent import TooLate

REASON = "cancelled by an operator"
COLUMNS = ("emailId", "tenant", "status", "sendAt", "message")

_retention = click.option(
    "--retention-days",
    envvar="MAILPIPE_RETENTION_DAYS",
    type=click.IntRange(1, 3650),
    default=90,
    show_default=True,
    help="How many days an ended record is kept (30 at least), as by the processes.",
)


@click.command()
@click.argument("email_ids", metavar="ID...", nargs=-1, required=True)
@_retention
@runs
async def cancel(
    deployment: Deployment, output: Output, email_ids: tuple[str, ...], retention_days: int
) -> None:
    """Let mail of whatever tenant not be sent; its endpoints hear of it. Twice is as good as once;
    what a sender has had in hand, or has ended, stays as it is.
    """
    recall = await _recall(deployment, retention_days)
    fates = list[dict[str, Any]]()
    for email_id in dict.fromkeys(email_ids):
        await _note(deployment, recall, "email.cancel", email_id, {"reason": REASON})
        fates.append(_fate(email_id, await recall.cancel(email_id, None, reason=REASON)))
    output.many(fates, COLUMNS, none="")
    if left := sum("message" in fate for fate in fates):
        raise click.ClickException(f"{left} of {len(fates)} mails were not cancelled.")


@click.command()
@click.argument("email_id", metavar="ID")
@click.option(
    "--at", "at_ms", type=Instant(comes=True), required=True, help="2h, 1d, a time with its zone."
)
@_retention
@runs
async def reschedule(
    deployment: Deployment, output: Output, email_id: str, at_ms: int, retention_days: int
) -> None:
    """Let a mail of whatever tenant go at another time; one that is past means at once."""
    recall = await _recall(deployment, retention_days)
    await _note(deployment, recall, "email.reschedule", email_id, {"sendAt": when(at_ms)})
    fate = _fate(email_id, await recall.reschedule(email_id, None, at_ms))
    if "message" in fate:
        raise NotDone(fate["message"])
    output.one(fate)


async def _recall(deployment: Deployment, retention_days: int) -> Recall:
    return recall_of(
        *(await deployment.tables(), deployment.prefix),
        events=await deployment.queue(resources.SES_EVENTS),
        lanes={stream: await deployment.queue(name) for stream, name in resources.LANES.items()},
        bucket=None,
        retention_days=retention_days,
    )


async def _note(
    deployment: Deployment, recall: Recall, action: str, email_id: str, what: dict[str, Any]
) -> None:
    """Before the work: an end in between must not go unnoticed. Mail that nobody has is none."""
    if (record := await recall.record(email_id, None)) is not None:
        audited = await deployment.audited()
        await audited.write(action, email_id, what={"tenant": record.tenant, **what})


def _fate(email_id: str, outcome: Record | TooLate | Violation | None) -> dict[str, Any]:
    """What is printed of one mail; with a message where nothing was done."""
    match outcome:
        case Record():
            return {
                "emailId": email_id,
                "tenant": outcome.tenant,
                "status": outcome.shown(now_ms()),
                "sendAt": when(outcome.send_at),
            }
        case TooLate():
            return {"emailId": email_id, "status": outcome.status, "message": outcome.sentence}
        case Violation():
            return {"emailId": email_id, "message": outcome.message}
        case None:
            shown = email_id[: resources.MAX_ID_CHARS]
            return {"emailId": shown, "message": f"There is no e-mail with the id '{shown}'."}
