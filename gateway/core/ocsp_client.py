"""One question to an OCSP responder, over HTTP."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

_MOST: Final = 65536


class OcspFailed(Exception):
    """No answer; str() says why."""


async def ask(url: str, question: str, resolver: Any, resolver_timeout_s: float, timeout_s: float) -> bytes:
    """The answer's body. Errors: OcspFailed."""
    import trio

    try:
        with trio.fail_after(timeout_s):
            return await _ask(url, question, resolver, resolver_timeout_s)
    except trio.TooSlowError:
        raise OcspFailed("OCSP responder timed out") from None
    except (OSError, trio.BrokenResourceError) as error:
        raise OcspFailed(f"OCSP responder cannot be asked ({error})") from None


async def _ask(url: str, question: str, resolver: Any, resolver_timeout_s: float) -> bytes:
    import h11
    import trio

    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path or "/"
    hosts = [host]
    if resolver is not None and not host.replace(".", "").isdigit():
        lookup = await resolver.wait(host.encode(), resolver_timeout_s)
        hosts = [one.decode() if isinstance(one, bytes) else one for one in lookup.hosts]
        if not hosts:
            raise OcspFailed(f"{host} could not be resolved")
    stream = await trio.open_tcp_stream(hosts[0], parts.port or 80)
    async with stream:
        client = h11.Connection(h11.CLIENT)
        target = path + ("" if path.endswith("/") else "/") + question
        head = h11.Request(method="GET", target=target, headers=[("Host", parts.netloc), ("Connection", "close")])
        await stream.send_all((client.send(head) or b"") + (client.send(h11.EndOfMessage()) or b""))
        body = b""
        while True:
            try:
                event = client.next_event()
            except h11.RemoteProtocolError as error:
                raise OcspFailed(f"OCSP responder sent an invalid response ({error})") from None
            if event is h11.NEED_DATA:
                client.receive_data(await stream.receive_some(_MOST))
            elif isinstance(event, h11.Response):
                _check(event)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > _MOST:
                    raise OcspFailed("OCSP responder sent too much")
            elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                return body


def _check(response: Any) -> None:
    if response.status_code != 200:
        raise OcspFailed(f"OCSP responder answered {response.status_code}")
    kind = dict(response.headers).get(b"content-type", b"")
    if kind.split(b";")[0].strip().lower() != b"application/ocsp-response":
        told = kind.decode("latin-1")
        raise OcspFailed(f'OCSP responder sent invalid "Content-Type" header: "{told}"')
