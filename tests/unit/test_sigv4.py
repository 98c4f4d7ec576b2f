"""Our signature is botocore's, for any request that we could make."""

from datetime import UTC, datetime
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from mailpipe.aws.sigv4 import Signer

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
CREDENTIALS = st.builds(ReadOnlyCredentials, SECRETS, SECRETS, st.none() | SECRETS)
SEGMENTS = st.text(min_size=1, max_size=12).filter(lambda text: text not in {".", ".."})
PATHS = st.lists(SEGMENTS, max_size=4).map(
    lambda segments: (
        "/" + "/".join(quote(one.encode("utf-8", "replace"), safe="") for one in segments)
    )
)
NAMES = st.from_regex(r"x-[a-z0-9-]{1,20}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=5)
TIMES = st.integers(0, 4_102_444_800)
SCOPES = st.tuples(st.sampled_from(["sqs", "dynamodb", "ses"]), st.sampled_from(["us-east-1", "a"]))


def botocores(
    credentials: ReadOnlyCredentials,
    scope: tuple[str, str],
    request: AWSRequest,
    at_s: int,
) -> str:
    """The Authorization header that botocore makes for this request at that time."""
    auth = SigV4Auth(credentials, *scope)
    stamp = datetime.fromtimestamp(at_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    request.context["timestamp"] = stamp
    request.headers["X-Amz-Date"] = stamp
    if credentials.token:
        request.headers["X-Amz-Security-Token"] = credentials.token
    text = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(text, request))
    return str(request.headers["Authorization"])


@given(
    CREDENTIALS,
    SCOPES,
    PATHS,
    HEADERS,
    st.binary(max_size=200),
    st.lists(TIMES, min_size=1, max_size=3),
)
def test_the_signature_is_botocores(
    credentials: ReadOnlyCredentials,
    scope: tuple[str, str],
    path: str,
    headers: dict[str, str],
    body: bytes,
    times: list[int],
) -> None:
    host = "sqs.us-east-1.amazonaws.com:4566"
    signer = Signer(*scope, "POST", path, {"host": host, **headers})
    for at_s in times:  # the same signer over days: its key must follow
        request = AWSRequest("POST", f"https://{host}{path}", headers=headers, data=body)
        expected = botocores(credentials, scope, request, at_s)
        signed = lines_of(signer.sign(credentials, body, at_s=at_s + 0.5))
        assert signed.pop("authorization") == expected
        assert signed == sent_by(request, host)


def lines_of(text: str) -> dict[str, str]:
    """Headers from their lines, each of them there once."""
    assert text.endswith("\r\n")
    pairs = [line.split(": ", 1) for line in text.removesuffix("\r\n").split("\r\n")]
    headers = dict(pairs)
    assert len(headers) == len(pairs)
    return headers


def sent_by(request: AWSRequest, host: str) -> dict[str, str]:
    """What botocore signs and sends, its signature left out."""
    named = {name.lower(): value for name, value in request.headers.items()}
    del named["authorization"]
    return {"host": host, **named}


def test_the_key_follows_the_credentials() -> None:
    signer = Signer("sqs", "us-east-1", "POST", "/", {"host": "h"})
    one, two, token = (
        ReadOnlyCredentials("id", *more) for more in (("one", None), ("two", None), ("one", "t"))
    )
    first, second, third, fourth = (
        signer.sign(who, b"", at_s=1.0) for who in (one, two, token, one)
    )
    assert first == fourth
    assert len({first, second, third}) == 3
