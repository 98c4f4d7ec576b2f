"""Which URLs may be webhook endpoints."""

import ipaddress

import pytest

from mailpipe.targets import check_url, forbidden

GOOD = [
    *("https://example.com", "https://example.com/", "https://example.com:8443/a?b=c"),
    *("HTTPS://Example.COM:443/x", "https://xn--bcher-kva.example/", "https://93.184.216.34/"),
    *("https://[2606:4700::1111]/", "https://a_b.example.com./x", "https://1und1.de/"),
]


@pytest.mark.parametrize("url", GOOD)
def test_a_public_https_url_may_be_one(url: str) -> None:
    assert check_url(url, local=False) is None


@pytest.mark.parametrize(
    ("url", "constraint"),
    [
        *((f"{scheme}://example.com/", "url_scheme") for scheme in ("ftp", "gopher", "http")),
        *((one, "url_syntax") for one in ("", "javascript:alert(1)", "file:///etc/passwd")),
        *((one, "url_syntax") for one in ("https://", "https:///x", "example.com")),
        ("//example.com", "url_scheme"),
        ("https://example.com/" + "x" * 70_000, "max_length"),
        ("https://example.com/\r\nX-A: b", "url_syntax"),
        ("https://example.com/a b", "url_syntax"),
        ("https://bücher.example/", "url_syntax"),
        ("https://user:secret@example.com/", "url_syntax"),
        ("https://user@example.com/", "url_syntax"),
        ("https://@example.com/", "url_syntax"),
        ("https://example.com/#part", "url_syntax"),
        ("https://example.com/#", "url_syntax"),
        ("https://example.com\\@127.0.0.1/", "url_syntax"),
        ("https://[::1/", "url_syntax"),
        ("https://[fe80::1%25eth0]/", "forbidden_target"),
        ("https://exa mple.com/", "url_syntax"),
        ("https://-a.example.com/", "url_syntax"),
        ("https://a..example.com/", "url_syntax"),
        ("https://example.com:99999/", "url_syntax"),
        *((f"https://example.com:{port}/", "url_port") for port in (0, 22, 25, 80, 6379)),
    ],
)
def test_another_url_is_refused_with_the_rule(url: str, constraint: str) -> None:
    violation = check_url(url, local=False)
    assert violation is not None
    assert (violation.field, violation.constraint) == ("url", constraint)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "LOCALHOST", "0.0.0.0", "[::1]", "2130706433", "0x7f.1"),  # noqa: S104
        *("0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "169.254.169.254", "[fd00:ec2::254]"),
        *("10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[64:ff9b::a9fe:a9fe]"),
        *("[2002:a9fe:a9fe::1]", "metadata.google.internal", "localhost.", "127.0.0.1."),
        *("a.localhost", "printer.local", "intranet", "0x7f000001", "017700000001", "1.2.3"),
        *("256.256.256.256", "[::]", "[::127.0.0.1]", "224.0.0.1", "255.255.255.255"),
        *("[ff02::1]", "[64:ff9b:1::1]", "[5f00::1]", "[3fff::1]", "192.88.99.1", "0x.example.0x"),
        *("1.0.0.127.in-addr.arpa", "[2001:db8::1]"),
    ],
)
def test_a_host_that_is_not_public_is_refused_in_whatever_spelling(host: str) -> None:
    violation = check_url(f"https://{host}/hook", local=False)
    assert violation is not None
    assert violation.constraint == "forbidden_target"


def test_the_local_cloud_takes_plain_http_on_any_port() -> None:
    assert check_url("http://127.0.0.1:8090/hooks/one", local=True) is None
    refused = check_url("ftp://127.0.0.1/", local=True)
    assert refused is not None
    assert refused.constraint == "url_scheme"


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::"]
)
def test_a_public_address_is_allowed_also_inside_another(text: str) -> None:
    assert not forbidden(ipaddress.ip_address(text))
