"""The answer to a request. Pure."""

from msgspec import Struct


class Answer(Struct, frozen=True):
    """A whole answer, or as much of it as has come; header names in any case, of equal ones the
    last.
    """

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def header(self, wanted: bytes) -> str | None:
        """The value of a header, by its lower-case name."""
        for name, value in self.headers.items():
            if name.lower() == wanted:
                return value.decode("latin-1")
        return None
