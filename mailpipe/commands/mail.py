"""`send`, `status` and `emails`."""

import mimetypes
from base64 import b64encode
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from mailpipe import records, resources, rules
from mailpipe.addresses import bare, normalised
from mailpipe.audit import NotDone
from mailpipe.aws.table import Tables
from mailpipe.commands import letters
from mailpipe.commands.deployment import Deployment, runs
from mailpipe.commands.letters import Letter
from mailpipe.commands.output import Output, when
from mailpipe.commands.parameters import Instant, tenant_option
from mailpipe.fates import Accepted, Keyed, NotAccepted, Refused
from mailpipe.listing import EmailQuery, Walk
from mailpipe.messages import Attachment, Stream
from mailpipe.producer import Producer
from mailpipe.records import Attributes, Record
from mailpipe.status import STATUSES
from mailpipe.timing import now_ms

COLUMNS = ("emailId", "createdAt", "status", "recipient", "subject")


def view(record: Record) -> dict[str, Any]:
    """A mail as commands print it."""
    recipients = [bare(one) for one in record.recipients()]
    return {
        "emailId": record.email_id,
        "tenant": record.tenant,
        "stream": record.stream,
        "status": record.shown(now_ms()),
        "reason": record.reason,
        "recipient": recipients[0] if recipients else None,
        "recipients": recipients,
        "subject": record.subject,
        "attempts": record.attempt,
        "possibleDuplicate": record.possible_duplicate,
        "messageIds": list(record.ids.values()),
        "createdAt": when(record.created_at),
        "sentAt": when(record.sent_at),
        "sendAt": when(record.send_at),
        "expiresAt": when(record.expires_at),
        "lastUpdated": when(record.updated_at),
        "metadata": record.metadata_values(),
    }


_mail_options = (
    click.option("--to", multiple=True, help="A recipient; repeat for more."),
    click.option("--cc", multiple=True),
    click.option("--bcc", multiple=True),
    click.option("--from", "from_", help="The sender's address, with or without a name."),
    click.option("--reply-to", multiple=True),
    click.option("--subject"),
    click.option("--text", "body_text", help="The body as plain text."),
    click.option("--html", "body_html", help="The body as HTML."),
    click.option("--header", "headers", multiple=True, metavar="NAME=VALUE"),
    click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE"),
    click.option("--metadata", multiple=True, metavar="NAME=VALUE"),
    click.option(
        "--attach", "attachments", type=click.Path(dir_okay=False, exists=True), multiple=True
    ),
    click.option("--send-at", metavar="TIME", help="When it goes: 2026-11-24T10:00:00Z."),
    click.option("--expires-at", metavar="TIME", help="It is not sent later."),
    click.option("--in-doubt", type=click.Choice(("resend", "unknown"))),
    click.option("--id", "email_id", help="An id of your own: the same id twice is one mail."),
    click.option("--idempotency-key", help="The same key twice is one mail, as in the REST API."),
)


def _with_mail_options(command: Any) -> Any:
    for option in reversed(_mail_options):
        command = option(command)
    return command


@click.command()
@click.option("--file", "source", type=click.File("rb"), help="JSON mails; - for standard input.")
@_with_mail_options
@click.option(
    "--stream",
    type=click.Choice(tuple(resources.LANES)),
    default="transactional",
    show_default=True,
)
@tenant_option
@runs
async def send(
    deployment: Deployment,
    output: Output,
    source: IO[bytes] | None,
    stream: Stream,
    tenant: str,
    **given: Any,
) -> None:
    """Put mail onto the queue, as the SDK does: from options, or from JSON in the form of
    `POST /send-email` (one, an array, or a line each). Prints the ids, in order.
    """
    mails = _given(source, given)
    async with Producer(tenant=tenant, prefix=deployment.prefix) as producer:
        fates = list[dict[str, Any]]()
        with output.progress("send", len(mails)) as sent:
            async for fate in producer.send_many(map(_keyed, mails), stream=stream):
                fates.append(_fate(fate))
                sent(1)
    refused = sum("error" in fate for fate in fates)
    columns = ("emailId", "error", "field", "message") if refused else ("emailId",)
    output.many(fates, columns, none="There was no mail.")
    if refused:
        raise click.ClickException(f"{refused} of {len(fates)} mails were not taken.")


def _given(source: IO[bytes] | None, given: dict[str, Any]) -> list[Letter]:
    """The mails of the file or of the options, never of both."""
    said = {name: value for name, value in given.items() if value}
    try:
        if source is not None:
            if said:
                raise click.UsageError("Give --file or a mail's options, not both.")
            return letters.letters(source.read())
        for name in ("headers", "tags", "metadata"):
            if name in said:
                said[name] = letters.pairs(name.removesuffix("s"), said[name])
        missing = [name for name in ("to", "from_", "subject") if name not in said]
        if missing:
            options = ", ".join(f"--{name.rstrip('_')}" for name in missing)
            raise click.UsageError(f"Missing {options} (or --file).")
        for name in ("to", "cc", "bcc", "reply_to"):
            said[name] = list(said.get(name, ()))
        said["attachments"] = [_attachment(Path(one)) for one in said.get("attachments", ())]
        return [Letter(**said)]
    except letters.Unreadable as unreadable:
        raise click.UsageError(f"{unreadable}.") from None


def _attachment(path: Path) -> Attachment:
    kind, encoding = mimetypes.guess_type(path.name)
    return Attachment(
        filename=path.name,
        content_type=kind if kind and not encoding else "application/octet-stream",
        content=b64encode(path.read_bytes()).decode(),
    )


def _keyed(letter: Letter) -> Keyed:
    return Keyed(letter.email(), letter.stream, letter.email_id, letter.idempotency_key)


def _fate(fate: Accepted | Refused) -> dict[str, Any]:
    """What is printed of one mail."""
    if isinstance(fate, Accepted):
        return {"emailId": fate.email_id}
    error = fate.error
    if isinstance(error, NotAccepted):
        return {"error": "NOT_ACCEPTED", "emailId": error.email_id, "message": str(error.cause)}
    return {
        "error": "VALIDATION_ERROR",
        "field": error.field,
        "constraint": error.constraint,
        "message": error.message,
    }


@click.command()
@click.argument("email_id", metavar="ID")
@runs
async def status(deployment: Deployment, output: Output, email_id: str) -> None:
    """Where a mail stands, of whatever tenant, and what has happened to it."""
    tables, item = await deployment.tables(), None
    if rules.is_id(email_id):
        item = await tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
    if item is None:
        raise NotDone(f"There is no e-mail with the id '{email_id[: resources.MAX_ID_CHARS]}'.")
    events = [_event(one) for one in await tables.partition(resources.EMAIL_EVENTS, email_id)]
    if output.as_json:
        output.one({**view(records.read(item)), "events": events})
        return
    output.one(view(records.read(item)))
    output.many(events, ("timestamp", "type", "recipients", "details"), none="No events yet.")


def _event(item: Attributes) -> dict[str, Any]:
    return {
        "timestamp": item["occurredAt"],
        "type": item["type"],
        "recipients": item.get("recipients", []),
        "details": msgspec.json.decode(str(item["details"])),
    }


@click.command()
@tenant_option
@click.option("--recipient", help="Only mail to this address.")
@click.option("--status", "wanted", type=click.Choice(STATUSES), help="Only mail that stands so.")
@click.option(
    "--since", type=Instant(past=True), default="30d", show_default=True, help="1h, 7d, a time."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@runs
async def emails(
    deployment: Deployment,
    output: Output,
    tenant: str,
    recipient: str | None,
    wanted: str | None,
    since: int,
    limit: int,
) -> None:
    """The newest mails of a tenant. Lists may be a second behind; `status` is not."""
    query = EmailQuery(
        recipient=None if recipient is None else normalised(recipient),
        status=wanted,
        created_from=since,
        limit=limit,
    )
    found = await _newest(await deployment.tables(), tenant, query, since_ms=since)
    output.many(map(view, found), COLUMNS, none="There is no such mail.")


async def _newest(tables: Tables, tenant: str, query: EmailQuery, *, since_ms: int) -> list[Record]:
    """Walk on until there are enough, or there is nothing more."""
    found, position, now = list[Record](), None, now_ms()
    while len(found) < query.limit:
        left = msgspec.structs.replace(query, limit=query.limit - len(found))
        walk = Walk(tables, tenant, left, now_ms=now, kept_ms=now - since_ms)
        some, position = await walk.run(position)
        found += some
        if position is None:
            break
    return found
