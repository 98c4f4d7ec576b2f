"""`explain`."""

import click
import msgspec

from mailpipe import records, resources, rules
from mailpipe.audit import NotDone
from mailpipe.commands.deployment import Deployment, runs
from mailpipe.commands.output import Output
from mailpipe.explaining import Explainer
from mailpipe.resources import LANES


@click.command()
@click.argument("email_id", metavar="ID")
@runs
async def explain(deployment: Deployment, output: Output, email_id: str) -> None:
    """Why a mail stands as it does, of whatever tenant: what it waits for, since when, what binds,
    when it should go on.
    """
    tables, item = await deployment.tables(), None
    if rules.is_id(email_id):
        item = await tables.get(resources.EMAIL_TRACKING, {"emailId": email_id})
    if item is None:
        raise NotDone(
            f"There is no record of an e-mail with the id '{email_id[: resources.MAX_ID_CHARS]}'. "
            "A mail on the queue may have none before a sender has it in hand."
        )
    queues = {lane: await deployment.queue(name) for lane, name in LANES.items()}
    explained = await Explainer(tables, queues).explain(records.read(item))
    if output.as_json:
        output.one(msgspec.to_builtins(explained))
    else:
        output.say(explained.sentence)
