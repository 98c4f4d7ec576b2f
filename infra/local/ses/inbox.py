"""`/inbox`: the accepted mails as pages for a person.

A mail is as untrusted here as in any mail client: its HTML is shown in a frame without rights, and
nothing that a page shows may come from the network (Content Security Policy level 3; HTML standard,
"iframe", `sandbox` and `srcdoc`: such a frame has the policy of its page). Pages work without
scripts, answer only to a loopback name, and take orders only from themselves.
"""

import asyncio
import base64
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from infra.local.ses.mailbox import Mail, Mailbox
from infra.local.ses.reading import STATUSES, Reading, matches, read, source

Handler = Callable[[web.Request], Awaitable[web.Response]]

PATH = "/inbox"
PER_PAGE = 50
SHOWN_SOURCE = 200_000
"""Characters of the source on the mail's page; the whole is a page of its own."""
LONGEST_NAME = 150

_POLICY = (
    "default-src 'none'; img-src data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; style-src "
)
_HEADERS = {
    "Content-Security-Policy": _POLICY + "'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_IMAGE = re.compile(r"image/[a-z0-9.+-]{1,40}")
_CONTENT_ID = re.compile(r"\bcid:([^\s\"'<>()]{1,200})", re.IGNORECASE)
_CONNECTS = re.compile(r"<(?:link|meta|i?frame|object|embed)(?=[\s/>])", re.IGNORECASE | re.ASCII)

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Inbox:
    """The handlers."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def routes(self) -> list[web.RouteDef]:
        """For an application's router."""
        return [
            web.get(PATH, _guarded(self._list)),
            web.get(PATH + "/{id}", _guarded(self._mail)),
            web.get(PATH + "/{id}/source", _guarded(self._source)),
            web.get(PATH + "/{id}/attachments/{n}", _guarded(self._attachment)),
            web.post(PATH + "/delete", _guarded(self._clear)),
            web.post(PATH + "/{id}/delete", _guarded(self._delete)),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query.get("q", "").strip()
        asked, live = request.query.get("page", ""), request.query.get("live") == "1"
        mails = list(self._mailbox.newest())
        # Not in the event loop: reading a thousand mails would hold up the mails that come.
        return await asyncio.to_thread(_list_page, mails, query, asked=asked, live=live)

    async def _mail(self, request: web.Request) -> web.Response:
        mail = self._found(request)
        return _no_mail() if mail is None else await asyncio.to_thread(_mail_page, mail)

    async def _source(self, request: web.Request) -> web.Response:
        mail = self._found(request)
        if mail is None:
            return _no_mail()
        return web.Response(text=await asyncio.to_thread(source, mail), content_type="text/plain")

    async def _attachment(self, request: web.Request) -> web.Response:
        mail, number = self._found(request), request.match_info["n"]
        if mail is None:
            return _no_mail()
        reading = await asyncio.to_thread(read, mail)
        files = {str(place): one for place, one in enumerate(reading.attachments, 1)}
        if number not in files:
            return _problem(
                404, "No such attachment", "This mail has no attachment of that number."
            )
        return web.Response(
            body=files[number].content,
            content_type="application/octet-stream",
            headers={"Content-Disposition": disposition(files[number].name)},
        )

    async def _clear(self, _: web.Request) -> web.Response:
        self._mailbox.clear()
        return _back()

    async def _delete(self, request: web.Request) -> web.Response:
        return _back() if self._mailbox.delete(request.match_info["id"]) else _no_mail()

    def _found(self, request: web.Request) -> Mail | None:
        return self._mailbox.get(request.match_info["id"])


def disposition(name: str) -> str:
    """A Content-Disposition that saves under the last part of `name`, without what would mean
    something to a file system, a header or a reader (RFC 6266, section 4.3 and appendix D; RFC 8187
    for `filename*`).
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join("_" if _is_special(one) else one for one in last).strip(" .")
    kept = kept[-LONGEST_NAME:] or "attachment"
    plain = "".join(one if one.isascii() and one != "%" else "_" for one in kept)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(kept, safe='')}"


def framed(reading: Reading) -> str:
    """The HTML for a sandboxed frame: with its own images (`cid:`, RFC 2392) in it, with links that
    lead nowhere, and without what makes a browser look up or connect to other hosts.
    """
    images = {
        one.content_id: f"data:{one.content_type};base64,{base64.b64encode(one.content).decode()}"
        for one in reading.attachments
        if one.content_id and _IMAGE.fullmatch(one.content_type)
    }
    html = _CONTENT_ID.sub(lambda found: images.get(found[1], found[0]), reading.html or "")
    # No policy stops <link rel=preconnect> or a <meta> that turns DNS prefetching on, and Chromium
    # connects for an inner frame before it asks the policy. `basefont` is void and does nothing. A
    # link for a new window does nothing in a sandbox.
    return '<base target="_blank">' + _CONNECTS.sub("<basefont", html)


def visible(name: str) -> str:
    """With a mark for what would not be seen, or would turn the direction of writing."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)


def address(query: str = "", *, page: int = 1, live: bool = False) -> str:
    """The list's URL."""
    given = {"q": query, "page": str(page) if page > 1 else "", "live": "1" if live else ""}
    chosen = urlencode({name: value for name, value in given.items() if value})
    return f"{PATH}?{chosen}" if chosen else PATH


def _is_special(character: str) -> bool:
    """Reserved, a control or format character (so none that turns the direction of writing), or a
    space that does not look like one.
    """
    return character in '<>:"|?*' or not (character == " " or character.isprintable())


def _list_page(mails: list[Mail], query: str, *, asked: str, live: bool) -> web.Response:
    found = [one for one in mails if matches(read(one), query)] if query else mails
    pages = max(1, -(-len(found) // PER_PAGE))
    page = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * PER_PAGE : page * PER_PAGE]
    return _page(
        "list.html",
        mails=[read(one) for one in shown],
        query=query,
        page=page,
        pages=pages,
        live=live,
        found=len(found),
        total=len(mails),
    )


def _mail_page(mail: Mail) -> web.Response:
    reading, text = read(mail), source(mail)
    return _page(
        "mail.html",
        any_style=reading.html is not None,
        mail=reading,
        frame=framed(reading) if reading.html is not None else None,
        source=text[:SHOWN_SOURCE],
        is_cut=len(text) > SHOWN_SOURCE,
    )


def _page(
    template: str, *, status: int = 200, any_style: bool = False, **values: Any
) -> web.Response:
    """`any_style`: for a page with a mail's frame, whose styles no nonce can name beforehand."""
    nonce = secrets.token_urlsafe(16)
    text = _templates.get_template(template).render(
        nonce=nonce,
        statuses=STATUSES,
        address=address,
        home=PATH,
        quote=quote,
        visible=visible,
        **values,
    )
    style = "'unsafe-inline'" if any_style else f"'nonce-{nonce}'"
    headers = {"Content-Security-Policy": _POLICY + style}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def _problem(status: int, title: str, text: str) -> web.Response:
    return _page("missing.html", status=status, title=title, text=text)


def _no_mail() -> web.Response:
    text = "It was deleted, or it was the oldest when there were too many, or it never was here."
    return _problem(404, "This mail is not here", text)


def _back() -> web.Response:
    return web.Response(status=303, headers={"Location": PATH})


def _guarded(handler: Handler) -> Handler:
    """Refuse what did not come from a person at this machine, and say what pages may do."""

    async def guarded(request: web.Request) -> web.Response:
        if not _LOOPBACK.fullmatch(request.headers.get("Host", "")):
            text = "This page answers only to the names 127.0.0.1, localhost and [::1]."
            response = _problem(421, "Not under this name", text)
        elif request.method == "POST" and not _is_from_itself(request):
            text = "Another site asked to delete mail here. Nothing was deleted."
            response = _problem(403, "Not from another site", text)
        else:
            response = await handler(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return guarded


def _is_from_itself(request: web.Request) -> bool:
    """Fetch Metadata Request Headers, section 2.2, and, of clients without it, RFC 6454. With a
    Referrer-Policy of `no-referrer` a browser's own form sends `Origin: null` (Fetch standard,
    "append a request Origin header"), so Sec-Fetch-Site is asked first.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or origin == f"http://{request.headers['Host']}"
