"""Requests to SES and the answers that AWS documents: what `make prove-simulator` asks.

`expected` is how the answer must begin: `200 <member>` names a member that the answer must have,
otherwise it is the HTTP status, the error's code and, where AWS publishes one, its text. Rows are
asked in order; `switches` are turned before a row and turned back after it.
"""

from loadtest.corpus.operations import BYTES, OPERATIONS
from loadtest.corpus.sends import ACCOUNT, BAD, SENDING

ROWS = [*SENDING, *BAD, *ACCOUNT, *OPERATIONS, *BYTES]

DOCUMENTED = frozenset(
    {
        *("AccountSuspendedException", "BadRequestException", "LimitExceededException"),
        *("MailFromDomainNotVerifiedException", "MessageRejected", "NotFoundException"),
        *("SendingPausedException", "TooManyRequestsException", "AlreadyExistsException"),
        *("AccessDeniedException", "InternalFailure", "ServiceUnavailable"),
        *("RequestEntityTooLargeException", "UnknownOperationException"),
    }
)
"""The errors that SendEmail's page lists, AlreadyExists of the Create operations, and the common
ones that do not need a signature to be checked."""
