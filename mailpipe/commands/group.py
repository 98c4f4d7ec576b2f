"""The command line's groups."""

import click

from mailpipe.commands.dlq import dlq
from mailpipe.commands.explaining import explain
from mailpipe.commands.keys import keys
from mailpipe.commands.mail import emails, send, status
from mailpipe.commands.quota import cap, pause, paused, quota, resume, uncap
from mailpipe.commands.recall import cancel, reschedule
from mailpipe.commands.suppression import suppression
from mailpipe.commands.tenants import tenant


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def mailpipe() -> None:
    """Send mail, look at it, and run a mailpipe deployment.

    Region, credentials and endpoint come from AWS's own variables (AWS_DEFAULT_REGION, AWS_PROFILE,
    AWS_ENDPOINT_URL, ...). Exit codes: 0 done, 1 failed, 2 used wrongly.
    """


READING = (status, explain, emails)
STEERING = (quota, pause, resume, paused, cap, uncap)

for one in (send, *READING, cancel, reschedule, keys, tenant, suppression, dlq, *STEERING):
    mailpipe.add_command(one)
