"""The form of an AWS operation: its name, and a struct for its request and its answer.

The operations themselves are in `sqs_operations.py`, `dynamodb_operations.py`, `ses_operations.py`.

Field names are AWS's members in snake case. Only members that we need are declared; an unknown
member of an answer is ignored, an unset one of a request is left out.
"""

from typing import Generic, Protocol, TypeVar

from msgspec import Struct

Q = TypeVar("Q", bound=Struct)
A = TypeVar("A", bound=Struct)


class Gate(Protocol):
    """Waits for the moment at which a call may be made; False: it is not to be made at all.

    `opened_s` is when it has last said yes (`time.perf_counter`).
    """

    opened_s: float | None

    async def __call__(self) -> bool: ...


class Operation(Struct, Generic[Q, A], frozen=True):
    """An operation by its service, its name and the struct of its answer.

    `method` and `path` are those of SES's REST protocol; SQS and DynamoDB post everything to `/`
    and name the operation in a header (AWS JSON 1.0). `max_bytes`: a larger answer is refused.
    """

    service: str
    name: str
    answer: type[A]
    method: str = "POST"
    path: str = "/"
    max_bytes: int = 1_000_000


class Discreet(Struct):
    """Shows only its name."""

    def __repr__(self) -> str:
        """Without what it holds: requests and answers are full of addresses and texts."""
        return f"{type(self).__name__}(…)"


class Request(Discreet, rename="pascal", omit_defaults=True, kw_only=True):
    """Base of all requests."""


class Answer(Discreet, rename="pascal", kw_only=True):
    """Base of all answers; what AWS leaves out has a default."""
