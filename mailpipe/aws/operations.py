"""The form of an AWS operation: its name, and a struct for its request and its answer.

The operations themselves are in `sqs_operations.py`, `dynamodb_operations.py`, `ses_operations.py`.

Field names are AWS's members in snake case. Only members that we need are declared; an unknown
member of an answer is ignored, an unset one of a request is left out.
"""

from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct

Q = TypeVar("Q", bound=Struct)
A = TypeVar("A", bound=Struct)


class Operation(NamedTuple, Generic[Q, A]):
    """An operation by its service, its name and the struct of its answer."""

    service: str
    name: str
    answer: type[A]


class Request(Struct, rename="pascal", omit_defaults=True, kw_only=True):
    """Base of all requests."""


class Answer(Struct, rename="pascal", kw_only=True):
    """Base of all answers; what AWS leaves out has a default."""
