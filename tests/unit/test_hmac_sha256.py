"""HMAC-SHA256 is the standard library's, for keys and texts of any length."""

import hmac

from hypothesis import example, given
from hypothesis import strategies as st

from mailpipe.keyed import hmac_sha256


@given(key=st.binary(max_size=200), text=st.binary(max_size=500))
@example(key=b"k" * 64, text=b"")
@example(key=b"k" * 65, text=b"")
def test_it_is_the_standard_librarys(key: bytes, text: bytes) -> None:
    assert hmac_sha256(key)(text) == hmac.digest(key, text, "sha256")
