"""Attachments: what may be attached, and how large all of it may be."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.ses import attachments as simulator
from mailpipe.attachments import (
    MAX_MAIL_BYTES,
    REFUSED_EXTENSIONS,
    fault_of,
    is_base64,
    is_large,
    mail_bytes,
)
from mailpipe.messages import Attachment, Email


def email(*attached: Attachment, text: str = "Hello") -> Email:
    """A mail with these."""
    return Email(
        to=["a@example.com"],
        from_="b@example.com",
        subject="Hi",
        body_text=text,
        attachments=list(attached),
    )


def file(**changes: str) -> Attachment:
    """A good attachment, changed."""
    good = {"filename": "a.pdf", "content_type": "application/pdf", "content": "aGVsbG8="}
    return Attachment(**{**good, **changes})


@pytest.mark.parametrize(
    "good",
    [
        file(),
        file(filename="Übersicht 2026.tar.gz", content_type="application/gzip"),
        file(filename=".profile", content_type="text/plain; charset=utf-8"),
        file(filename="exe", content_type="image/svg+xml"),
        file(filename="x" * 255),
    ],
)
def test_what_may_be_attached(good: Attachment) -> None:
    assert fault_of(email(good)) is None


def test_the_list_of_refused_types_is_the_simulators_too() -> None:
    assert all(simulator.refused(f"a.{one}") for one in REFUSED_EXTENSIONS)
    assert len(REFUSED_EXTENSIONS) == len(simulator._REFUSED_EXTENSIONS)


@given(st.binary(max_size=300), st.integers(0, 400), st.characters())
def test_base64_is_what_the_standard_encodes_and_nothing_near_it(
    data: bytes, place: int, other: str
) -> None:
    good = base64.b64encode(data).decode()
    assert is_base64(good)
    if place < len(good):
        changed = good[:place] + other + good[place + 1 :]
        inside = other.isascii() and (other.isalnum() or other in "+/")
        if not inside and changed != good and other != "=":
            assert not is_base64(changed)
        assert not is_base64(good[:place] + good[place + 1 :])


def test_padding_stands_at_the_very_end_even_where_the_pieces_meet() -> None:
    piece = "A" * 65_534 + "=="
    assert is_base64("A" * 65_536 + piece)
    assert not is_base64(piece + "AAAA")


def test_a_mail_of_40_mb_and_no_more() -> None:
    def sized(content: int) -> Email:
        return email(file(content="A" * (content // 4 * 4)))

    most = MAX_MAIL_BYTES * 38 // 39 - 2_000
    assert fault_of(sized(most)) is None
    fault = fault_of(sized(most + 4_000))
    assert fault is not None
    assert fault[:2] == ("body", "max_bytes")


def test_texts_count_too() -> None:
    huge = email(text="ü" * (MAX_MAIL_BYTES // 2))
    fault = fault_of(huge)
    assert fault is not None
    assert fault[:2] == ("body", "max_bytes")
    assert mail_bytes(huge) > mail_bytes(email(text="u" * (MAX_MAIL_BYTES // 2)))


def test_large_is_what_cannot_go_onto_the_queue() -> None:
    assert not is_large(email(text="x" * 48 * 1024))
    assert is_large(email(text="x" * (48 * 1024 + 1)))
    assert is_large(email(file(content="A" * 50_000), text=""))
