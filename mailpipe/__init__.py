"""mailpipe: a queue-first e-mail pipeline on Amazon SES.

Producers install this package and write ``from mailpipe import Email, Producer``. The services of
the checkout (ingest, sender, processor, notifier) share what is in here and know nothing of each
other.
"""

from mailpipe.messages import Attachment, Email
from mailpipe.producer import EnqueueFailed, Producer
from mailpipe.rules import InvalidEmail

__all__ = ["Attachment", "Email", "EnqueueFailed", "InvalidEmail", "Producer"]
