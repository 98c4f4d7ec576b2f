"""Mails for the inbox, one of them hostile."""

from typing import Any

import msgspec

from infra.local.ses import requests as ses
from infra.local.ses.mailbox import Mail

FROM = "news@example.com"
TITLE = "<script>alert(1)</script>"
FILE_NAME = '../../etc/passwd"\r\nX: y'
PIXEL = b"GIF89a\1\0\1\0\x80\0\0\xff\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
RAW = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nRaw & <b>plain</b>"
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


def mail(number: int, content: ses.Content, **events: Any) -> Mail:
    """A kept mail."""
    name, to, at_s = f"0100-{number}", f"r{number}@example.net", 1_795_514_400.0 + number * 61
    request = ses.SendEmail(content, f"Acme <{FROM}>", ses.Destination([to]))
    request.email_tags = [ses.Pair("tenant", "default")]
    published = [{"eventType": kind, kind.lower(): about} for kind, about in events.items()]
    return Mail(
        message_id=name,
        at_s=at_s,
        source=FROM,
        recipients=[to],
        body=msgspec.json.encode(request),
        published=[msgspec.json.encode(one) for one in published],
    )


def plain(number: int, subject: str, **events: Any) -> Mail:
    """With a text."""
    body = ses.Body(text=ses.Part(f"Hello {number}"))
    return mail(number, ses.Content(ses.Simple(ses.Part(subject), body)), **events)


def hostile(beacon: str) -> Mail:
    """All that a mail could try."""
    files = [
        ses.Attachment(b"root", FILE_NAME),
        ses.Attachment(b"%PDF", "rechnung-für-\u202eana.pdf"),
    ]
    files.append(ses.Attachment(PIXEL, "p.gif", content_id="pixel", content_type="image/gif"))
    body = ses.Body(ses.Part("As text"), ses.Part(HOSTILE.replace("BEACON", beacon)))
    content = ses.Content(ses.Simple(ses.Part(TITLE), body, attachments=files))
    return mail(3, content, Send={}, Delivery={"smtpResponse": "250 ok"})
