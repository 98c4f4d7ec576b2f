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
    signer, ours = Signer(*scope), {"host": "sqs.us-east-1.amazonaws.com:4566", **headers}
    for at_s in times:  # the same signer over days: its key must follow
        request = AWSRequest(
            "POST", "https://sqs.us-east-1.amazonaws.com:4566" + path, headers=headers, data=body
        )
        signed = signer.sign(credentials, "POST", path, headers=ours, body=body, at_s=at_s + 0.5)
        assert signed["authorization"] == botocores(credentials, scope, request, at_s)


def test_the_key_follows_the_secret() -> None:
    signer = Signer("sqs", "us-east-1")
    one, two = (ReadOnlyCredentials("id", secret, None) for secret in ("one", "two"))
    given = {"headers": {"host": "h"}, "body": b"", "at_s": 1.0}
    first, second, third = (
        signer.sign(who, "POST", "/", **given)["authorization"]  # type: ignore[arg-type]
        for who in (one, two, one)
    )
    assert first == third != second
