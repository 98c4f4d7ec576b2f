"""The pytest fixture `outbox`. Installed with mailpipe it is there by itself."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mailpipe.testing import Outbox


@pytest.fixture
def outbox() -> "Iterator[Outbox]":
    """All mail that this test's code sends, instead of AWS."""
    from mailpipe.testing import Outbox  # not before a test asks for it

    with Outbox() as opened:
        yield opened
