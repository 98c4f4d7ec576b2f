"""The inbox over HTTP, and as a browser shows it: a hostile mail stays a picture of itself."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from infra.local.ses.inbox import Inbox
from infra.local.ses.mailbox import Mail, Mailbox
from infra.local.ses.requests import (
    Attachment,
    Body,
    Content,
    Destination,
    Pair,
    Part,
    Raw,
    SendEmail,
    Simple,
)

BUILD = Path(__file__).parents[2] / "build"
CHROMIUM = shutil.which("chromium")
TITLE = "<script>alert(1)</script>"
FILE_NAME = '../../etc/passwd"\r\nX: y'
PIXEL = b"GIF89a\1\0\1\0\x80\0\0\xff\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
HOSTILE = """<!doctype html><html><head><meta http-equiv="refresh" content="0;url=BEACON/refresh">
<link rel="preconnect" href="BEACON"><LINK rel=stylesheet href="BEACON/a.css">
<style>@import "BEACON/b.css"; @font-face {font-family: f; src: url(BEACON/f.woff)}
p {color: rgb(1, 2, 3); font-family: f} body {background: url(BEACON/bg.png)}</style></head>
<body><p id="said">Your parcel is on its way</p><img id="own" src="cid:pixel">
<script>document.title='owned'; top.location='http://127.0.0.1:1/'</script>
<img src="BEACON/beacon.png" onerror="document.title='owned'"><iframe src="BEACON/frame"></iframe>
<svg><image href="BEACON/svg.png"/></svg><object data="BEACON/object"></object>
<video poster="BEACON/poster.png" src="BEACON/video" autoplay></video>
<form action="BEACON/form" method="post"><button id="send">Claim</button></form>
<form action="/inbox/delete" method="post"><button id="wipe">Tidy</button></form>
<a id="top" target="_top" href="BEACON/top">top</a> <a id="plain" href="BEACON/plain">plain</a>
<a id="self" target="_self" href="BEACON/self">self</a></body></html>"""


def mail(number: int, simple: Simple | None, raw: Raw | None = None, **events: Any) -> Mail:
    """A kept mail."""
    to = Destination(to_addresses=[f"Reader {number} <r{number}@example.net>"])
    return Mail(
        message_id=f"0100-{number}",
        at_s=1_795_514_400.0 + number * 61,
        source="news@example.com",
        recipients=[f"r{number}@example.net"],
        request=SendEmail(
            content=Content(simple=simple, raw=raw),
            from_email_address="Acme <news@example.com>",
            destination=to,
            email_tags=[Pair("tenant", "default")],
        ),
        size_bytes=10,
        events=[{"eventType": kind, kind.lower(): about} for kind, about in events.items()],
    )


def plain(number: int, subject: str, **events: Any) -> Mail:
    """With a text."""
    return mail(number, Simple(Part(subject), Body(text=Part(f"Hello {number}"))), **events)


def hostile(beacon: str) -> Mail:
    """All that a mail could try."""
    files = [
        Attachment(b"root", FILE_NAME),
        Attachment(PIXEL, "pixel.gif", content_id="pixel", content_type="image/gif"),
        Attachment(b"%PDF", "rechnung-für-\u202eana.pdf", content_type="application/pdf"),
    ]
    html = HOSTILE.replace("BEACON", beacon)
    simple = Simple(Part(TITLE), Body(Part("As text"), Part(html)), attachments=files)
    delivered = {"smtpResponse": "250 ok", "recipients": ["r3@example.net"]}
    return mail(3, simple, Send={}, Delivery=delivered)


def fill(mailbox: Mailbox, beacon: str) -> None:
    """Four mails, the hostile one last but one."""
    who = [{"emailAddress": "r2@example.net", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]
    bounced = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": who}
    mailbox.clear()
    mailbox.keep(plain(1, "Order 4711 has been shipped"))
    mailbox.keep(plain(2, "Your password was changed", Send={}, Bounce=bounced))
    mailbox.keep(hostile(beacon))
    mailbox.keep(mail(4, None, Raw(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nRaw & <b>plain</b>")))


class Site:
    """The inbox on a free port, and a beacon that notes every connection."""

    def __init__(self, mailbox: Mailbox, url: str, beacon: str, hits: list[str]) -> None:
        self.mailbox, self.url, self.beacon, self.hits = mailbox, url, beacon, hits


@pytest.fixture(scope="session")
async def served() -> AsyncIterator[Site]:
    mailbox, hits = Mailbox(), list[str]()

    async def beacon(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hits.append("connected")
        writer.close()

    listener = await asyncio.start_server(beacon, "127.0.0.1", 0)
    app = web.Application()
    app.add_routes(Inbox(mailbox).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    to_beacon = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    yield Site(mailbox, f"http://127.0.0.1:{runner.addresses[0][1]}", to_beacon, hits)
    await runner.cleanup()
    listener.close()
    await listener.wait_closed()


@pytest.fixture
def site(served: Site) -> Iterator[Site]:
    fill(served.mailbox, served.beacon)
    served.hits.clear()
    yield served
    assert served.hits == []


@pytest.fixture
async def client(site: Site) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(site.url) as session:
        yield session


async def page(client: aiohttp.ClientSession, path: str) -> str:
    """A page's HTML."""
    async with client.get(path) as response:
        assert response.status == 200
        return await response.text()


def subjects(html: str) -> list[str]:
    """In the list."""
    return re.findall(r'<a class="subject".*?<bdi>(.*?)</bdi>', html)


async def test_the_list_is_newest_first_with_status_and_escaped(
    client: aiohttp.ClientSession,
) -> None:
    html = await page(client, "/inbox")
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt;"
    shipped, changed = "Order 4711 has been shipped", "Your password was changed"
    assert subjects(html) == ["Grüße", escaped, changed, shipped]
    assert re.findall(r'class="pill.*?>(.*?)<', html) == [
        *("Accepted", "Delivered", "Bounced", "Accepted")
    ]
    assert "3 files" in html
    assert "<script" not in html
    assert 'http-equiv="refresh"' not in html
    assert 'http-equiv="refresh" content="5"' in await page(client, "/inbox?live=1")


async def test_a_search_must_find_all_words(client: aiohttp.ClientSession) -> None:
    assert subjects(await page(client, "/inbox?q=ORDER+r1@example")) == [
        "Order 4711 has been shipped"
    ]
    assert "Nothing found" in await page(client, "/inbox?q=order+nowhere")


async def test_fifty_on_a_page(site: Site, client: aiohttp.ClientSession) -> None:
    for number in range(100, 200):
        site.mailbox.keep(plain(number, f"S{number}"))
    first, last = await page(client, "/inbox"), await page(client, "/inbox?page=3")
    assert subjects(first) == [f"S{number}" for number in reversed(range(150, 200))]
    assert len(subjects(last)) == 4
    assert subjects(await page(client, "/inbox?page=999999")) == subjects(last)
    for wrong in ("0", "-1", "x", "²", "9" * 5000):
        async with client.get("/inbox", params={"page": wrong}) as response:
            assert subjects(await response.text()) == subjects(first)


async def test_no_mail_says_how_to_send_one(site: Site, client: aiohttp.ClientSession) -> None:
    site.mailbox.clear()
    html = await page(client, "/inbox")
    assert "No mail yet. Send one to this simulator and it appears here." in html


async def test_one_mail_has_its_html_in_a_frame_without_rights(
    client: aiohttp.ClientSession,
) -> None:
    html = await page(client, "/inbox/0100-3")
    [frame] = re.findall(r"<iframe .*?>", html, re.DOTALL)
    assert re.search(r"\ssandbox\s", frame)
    assert "allow-" not in frame
    assert "<script" not in html
    assert "250 ok" in html
    assert "Raw &amp; &lt;b&gt;plain&lt;/b&gt;" in await page(client, "/inbox/0100-4")
    async with client.get("/inbox/0100-4/source") as response:
        assert response.content_type == "text/plain"
        assert (
            await response.read() == b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nRaw & <b>plain</b>"
        )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/inbox", 200),
        ("GET", "/inbox/0100-3", 200),
        ("GET", "/inbox/0100-3/source", 200),
        ("GET", "/inbox/0100-3/attachments/1", 200),
        ("GET", "/inbox/none", 404),
        ("GET", "/inbox/none/source", 404),
        ("GET", "/inbox/none/attachments/1", 404),
        ("GET", "/inbox/0100-3/attachments/0", 404),
        ("GET", "/inbox/0100-3/attachments/4", 404),
        ("GET", "/inbox/0100-3/attachments/x", 404),
        ("POST", "/inbox/none/delete", 404),
        ("POST", "/inbox/0100-3/delete", 303),
        ("POST", "/inbox/delete", 303),
    ],
)
async def test_every_answer_says_what_a_page_may_do(
    client: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    async with client.request(method, path, allow_redirects=False) as response:
        assert response.status == status
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; img-src data:; form-action 'self'; ")
        assert not re.search(r"http|\*|unsafe-eval|script-src|connect-src", policy)
        assert ("'unsafe-inline'" in policy) == (path == "/inbox/0100-3")
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        if status == 404:
            assert response.content_type == "text/html"
            assert re.search("It was deleted|no attachment of", await response.text())


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("LOCALHOST:81", 200), ("[::1]:4579", 200), ("127.0.0.1:1", 200)]
    + [("evil.example", 421), ("127.0.0.1.evil.example", 421), ("localhost@evil.example", 421)]
    + [("0.0.0.0", 421), ("", 421)],  # noqa: S104 - asked for, not listened on
)
async def test_only_a_loopback_name_is_answered(
    client: aiohttp.ClientSession, host: str, status: int
) -> None:
    async with client.get("/inbox", headers={"Host": host}) as response:
        assert response.status == status
        assert ("Order 4711" in await response.text()) == (status == 200)


@pytest.mark.parametrize(
    ("headers", "deletes"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "SELF"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "SELF"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
    ],
)
@pytest.mark.parametrize("path", ["/inbox/delete", "/inbox/0100-1/delete"])
async def test_no_other_site_can_delete(
    site: Site, client: aiohttp.ClientSession, path: str, headers: dict[str, str], deletes: bool
) -> None:
    given = {name: value.replace("SELF", site.url) for name, value in headers.items()}
    async with client.post(path, headers=given, allow_redirects=False) as response:
        assert response.status == (303 if deletes else 403)
        assert not deletes or response.headers["Location"] == "/inbox"
    assert (site.mailbox.get("0100-1") is None) is deletes
    assert deletes or len(site.mailbox) == 4


async def test_an_attachment_is_saved_under_a_safe_name(client: aiohttp.ClientSession) -> None:
    async with client.get("/inbox/0100-3/attachments/1") as response:
        assert await response.read() == b"root"
        assert response.content_type == "application/octet-stream"
        assert "X" not in response.headers
        assert response.headers["Content-Disposition"] == (
            "attachment; filename=\"passwd___X_ y\"; filename*=UTF-8''passwd___X_%20y"
        )
    async with client.get("/inbox/0100-3/attachments/3") as response:
        assert response.headers["Content-Disposition"] == (
            "attachment; filename=\"rechnung-f_r-_ana.pdf\"; filename*=UTF-8''"
            "rechnung-f%C3%BCr-_ana.pdf"
        )


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("The browser tests need chromium, and CI must have it.")
        pytest.skip("The browser tests need chromium: apt-get install chromium.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], headless=True
        )
        yield browser
        await browser.close()


@pytest.fixture
async def shown(site: Site, browser: Browser) -> AsyncIterator[Page]:
    """A page that asked for nothing but the inbox."""
    asked = list[str]()
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("request", lambda request: asked.append(request.url))
    yield page
    await page.close()
    assert asked
    assert [url for url in asked if not url.startswith((site.url + "/inbox", "data:"))] == []


async def test_a_browser_lists_searches_and_deletes(site: Site, shown: Page) -> None:
    await shown.goto(site.url + "/inbox")
    found = shown.locator(".subject")
    assert (await found.all_inner_texts())[:2] == ["Grüße", TITLE]
    await shown.screenshot(path=BUILD / "inbox-list.png")
    await shown.get_by_role("searchbox").fill("password")
    await shown.keyboard.press("Enter")
    await shown.wait_for_url("**q=password")
    assert await found.all_inner_texts() == ["Your password was changed"]
    await found.click()
    await shown.get_by_role("button", name="Delete").click()
    await shown.wait_for_url(site.url + "/inbox")
    assert await found.count() == 3
    assert site.mailbox.get("0100-2") is None
    await shown.get_by_text("Delete all").click()
    await shown.get_by_role("button", name="Yes, delete 3 mails").click()
    await shown.get_by_text("No mail yet. Send one").wait_for()
    assert len(site.mailbox) == 0


async def test_a_hostile_mail_is_shown_and_does_nothing(site: Site, shown: Page) -> None:
    await shown.goto(site.url + "/inbox/0100-3")
    frame = shown.frame_locator("iframe")
    said = frame.locator("#said")
    assert await said.inner_text() == "Your parcel is on its way"
    assert await said.evaluate("one => getComputedStyle(one).color") == "rgb(1, 2, 3)"
    assert await frame.locator("#own").evaluate("one => one.naturalWidth") == 1
    await shown.screenshot(path=BUILD / "inbox-mail.png")
    for button in ("#send", "#wipe", "#top", "#plain"):
        await frame.locator(button).click()
        assert await said.inner_text() == "Your parcel is on its way"
    await frame.locator("#self").click()
    await shown.get_by_text("Headers", exact=False).first.click()
    assert await shown.locator("#headers").get_attribute("open") is not None
    assert await shown.title() == TITLE
    assert shown.url == site.url + "/inbox/0100-3"
    assert len(site.mailbox) == 4
