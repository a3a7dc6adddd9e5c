"""The inspector's replay: what is sent again, as what, by whom, and what never is."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
import trio

from gateway.core.ring import Ring
from gateway.modules.http import dashboard_replay
from gateway.modules.http.request_history_record import unpacked
from tests import certificates
from tests.engine import Engine, Reply, serving
from tests.fakes import farm, silent
from tests.http2_client import Http2Client, http2

OWN = {"Origin": "http://localhost", "Content-Type": "application/x-www-form-urlencoded"}
SEEN = (
    "$request_method|$request_uri|$http_cookie|$http_authorization|$http_x_a|$http_host|$remote_addr|"
    "$server_protocol|$scheme|$http_x_empty"
)


def _conf(folder: Path, more: str = "replay=on", inside: str = "", listen: str = "") -> str:
    return f"""
    request_history {folder}/ring size={"1k" if "size=1k" in inside else "64k"};
    server {{
        listen unix:{folder}/socket; {listen} server_name site; add_header Seen "{SEEN}" always;
        location /gw/ {{ dashboard {more}; }}
        location / {{ return 200 ok; }}
        location /gone {{ return 503; }}
        location /off {{ request_history off; return 204; }}
        {inside.replace("size=1k", "")}
    }}
    """


def _kept(folder: Path) -> list[dict[str, Any]]:
    """The newest first."""
    return [unpacked(data) for _, data in Ring.read_from(f"{folder}/ring").newest()]


def _seen(entry: dict[str, Any]) -> list[str]:
    return str(dict(entry["answered"])["Seen"]).split("|")


def _token(page: Reply) -> str:
    found = re.search(rb'name="token" value="(\w+)"', page.body)
    return found[1].decode() if found else ""


async def _again(engine: Engine, id: str, more: str = "", fields: dict[str, str] = OWN) -> Reply:
    """By the form of the request's page."""
    token = _token(await engine.get(f"/gw/requests/{id}"))
    return await engine.request("POST", f"/gw/requests/{id}", fields, body=f"token={token}{more}".encode())


async def test_the_same_request_once_more(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        await engine.get("/a%20b?x=1&y=%2F", {"X-A": "1, 2", "X-Empty": ""})
        (first,) = _kept(tmp_path)
        reply = await _again(engine, first["id"])
        second, _ = _kept(tmp_path)
        page = await engine.get(f"/gw/requests/{second['id']}")
        of = await engine.get(f"/gw/requests/{first['id']}")
        listed = await engine.get("/gw/requests?q=replay")
    assert reply.status == 303
    assert reply.header("location") == b"http://localhost/gw/requests/" + second["id"].encode()
    assert (second["replay"], second["uri"], second["status"]) == (first["id"], "/a%20b?x=1&y=%2F", "200")
    assert _seen(first) == _seen(second)
    assert "replay" not in first
    assert f"requests/{first['id']}".encode() in page.body and b"replay of" in page.body
    assert f"requests/{second['id']}".encode() in of.body and b"sent again before" in of.body
    assert listed.body.count("↻ replay".encode()) == 1


async def test_secrets_are_left_out_and_said(tmp_path: Path) -> None:
    fields = {"Authorization": "Basic YTpi", "Cookie": "sid=1; theme=dark", "X-Api-Key": "k", "X-A": "stays"}
    async with serving(_conf(tmp_path)) as engine:
        await engine.get("/a?x=1&token=abc&y=2&password=q", fields)
        (first,) = _kept(tmp_path)
        page = html.unescape((await engine.get(f"/gw/requests/{first['id']}")).body.decode())
        assert (await _again(engine, first["id"])).status == 303
        second, _ = _kept(tmp_path)
    said = re.search("Secrets were never kept, and are left out: ([^.]*)\\.", page)
    assert said is not None
    assert set(said[1].split(", ")) == {"Authorization", "Cookie", "X-Api-Key", "?token", "?password"}
    assert _seen(second)[1:5] == ["/a?x=1&y=2", "", "", "stays"]
    assert "****" not in json.dumps(second)


async def test_what_may_change_something_is_asked_for_twice(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        for method in ("POST", "PUT", "PATCH", "DELETE", "PURGE"):
            await engine.request(method, "/a", {"Content-Length": "0"})
            first = _kept(tmp_path)[0]
            asked = await _again(engine, first["id"])
            assert asked.status == 200 and b"may change something" in asked.body and _token(asked)
            assert _kept(tmp_path)[0]["id"] == first["id"]
            assert (await _again(engine, first["id"], "&sure=yes")).status == 303
            second = _kept(tmp_path)[0]
            assert (second["method"], second["replay"]) == (method, first["id"])


async def test_what_cannot_be_sent(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path, inside="size=1k")) as engine:
        await engine.request("POST", "/body", body=b"a=1")
        await engine.raw(
            b"POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
        )
        await engine.raw(b"GET  HTTP/1.1\r\nHost: a\r\n\r\n")
        await engine.get("/" + "u" * 3000)
        kept = _kept(tmp_path)
        for entry, why in zip(kept, ("URI was kept", "no request that a client", "a body", "a body"), strict=True):
            page = await engine.get(f"/gw/requests/{entry['id']}")
            assert why.encode() in page.body and b"<form" not in page.body, entry
            token = dashboard_replay.token(_secret(engine), entry["id"])
            refused = await engine.request(
                "POST", f"/gw/requests/{entry['id']}", OWN, body=f"token={token}&sure=yes".encode()
            )
            assert b"Nothing was sent" in refused.body and why.encode() in refused.body
        assert len(_kept(tmp_path)) == len(kept)


def _secret(engine: Engine) -> bytes:
    from gateway.http.setters import locations_of
    from gateway.modules.http import dashboard

    confs = [
        location.confs[dashboard.module]
        for location in locations_of(engine.cycle)
        if dashboard.module in location.confs
    ]
    found: bytes = next(conf.replay for conf in confs if conf.replay)
    return found


@pytest.mark.parametrize(
    "fields",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_other_sites_send_nothing(tmp_path: Path, fields: dict[str, str]) -> None:
    async with serving(_conf(tmp_path)) as engine:
        await engine.get("/a")
        (first,) = _kept(tmp_path)
        assert (await _again(engine, first["id"], fields=fields)).status == 403
        assert len(_kept(tmp_path)) == 1


async def test_a_form_that_is_not_ours(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        await engine.get("/a")
        await engine.get("/b")
        second, first = _kept(tmp_path)
        other = _token(await engine.get(f"/gw/requests/{second['id']}"))
        for token in ("", "x", "%FF", other):
            reply = await engine.request("POST", f"/gw/requests/{first['id']}", OWN, body=f"token={token}".encode())
            assert reply.status == 403 and b"nothing was sent" in reply.body
        token = dashboard_replay.token(_secret(engine), "nothing")
        assert (await engine.request("POST", "/gw/requests/nothing", OWN, body=f"token={token}".encode())).status == 404
        assert len(_kept(tmp_path)) == 2


async def test_it_is_off_by_default(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path, "replay=off")) as engine:
        await engine.get("/a")
        (first,) = _kept(tmp_path)
        assert b"<form" not in (await engine.get(f"/gw/requests/{first['id']}")).body
        assert (await engine.request("POST", f"/gw/requests/{first['id']}", OWN, body=b"token=x")).status == 405


async def test_old_protocols(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        await engine.raw(b"GET /old HTTP/1.0\r\nX-A: 1\r\n\r\n")
        await engine.raw(b"GET /older\r\n")
        older, old = _kept(tmp_path)
        for first in (old, older):
            assert (await _again(engine, first["id"])).status == 303
            second = _kept(tmp_path)[0]
            assert (second["replay"], second.get("protocol"), second["uri"]) == (
                first["id"],
                first.get("protocol"),
                first["uri"],
            )


async def test_over_http2_and_tls(tmp_path: Path) -> None:
    chain, key = certificates.write(tmp_path, "site")
    tls = f"listen unix:{tmp_path}/tls ssl; ssl_certificate {chain}; ssl_certificate_key {key};"
    async with serving(_conf(tmp_path, listen=f"{tls} http2 on;")) as engine:
        async with http2(engine) as client:
            await client.get("/plain", (b"x-a", b"2"), (b"x-empty", b""), method="GET")
        for protocols in (["h2"], ["http/1.1"]):
            context = certificates.client_context()
            context.set_alpn_protocols(protocols)
            stream = trio.SSLStream(engine.connect(1), context, server_hostname="site", https_compatible=True)
            await stream.do_handshake()
            if protocols == ["h2"]:
                client = Http2Client(stream)
                await client.flush()
                long = [(b"x-long-%d" % number, b"l" * 6000) for number in range(4)]  # more than a frame
                await client.get("/secret", (b"x-a", b"3"), *long, host="site")
            else:
                await stream.send_all(b"GET /one HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")
                await stream.receive_some()
            await stream.aclose()
        kept = list(reversed(_kept(tmp_path)))
        assert [entry["protocol"] for entry in kept] == ["HTTP/2.0", "HTTP/2.0", "HTTP/1.1"]
        for first in kept:
            assert (await _again(engine, first["id"])).status == 303
            second = _kept(tmp_path)[0]
            assert second["replay"] == first["id"]
            assert _seen(first) == _seen(second)
            lacks = {name.lower() for name, _ in first["asked"]} ^ {name.lower() for name, _ in second["asked"]}
            assert lacks == set()


async def test_behind_the_proxy_protocol_and_from_the_same_client(tmp_path: Path) -> None:
    more = f"listen unix:{tmp_path}/proxied proxy_protocol; set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;"
    async with serving(_conf(tmp_path, listen=more, inside="location /no { deny 192.0.2.7; return 200; }")) as engine:
        for address in ("192.0.2.7", "2001:db8::1"):
            kind = "TCP6" if ":" in address else "TCP4"
            end = "2001:db8::2" if ":" in address else "192.0.2.1"
            head = f"PROXY {kind} {address} {end} 1234 80\r\nGET /x HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n"
            await engine.raw(head.encode(), 1)
            first = _kept(tmp_path)[0]
            assert first["client"] == address
            assert (await _again(engine, first["id"])).status == 303
            second = _kept(tmp_path)[0]
            assert (second["client"], second["replay"], _seen(second)) == (address, first["id"], _seen(first))


async def test_what_is_not_in_the_list_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes its time comes into the list when it has ended."""
    monkeypatch.setattr(dashboard_replay, "_ANSWERED_WITHIN_S", 0.2)
    async with farm(tmp_path) as peers:
        address = await peers.tcp(silent())
        inside = f"location /slow {{ proxy_read_timeout 1s; proxy_pass http://{address}; }}"
        async with serving(_conf(tmp_path, inside=inside)) as engine:
            await engine.get("/slow")
            (first,) = _kept(tmp_path)
            begin = trio.current_time()
            reply = await _again(engine, first["id"])
            assert reply.status == 200 and b"not in the list yet" in reply.body
            with trio.fail_after(30):
                while len(_kept(tmp_path)) < 2:
                    await trio.sleep(0.05)
            assert trio.current_time() - begin > 0.8
            assert _kept(tmp_path)[0]["replay"] == first["id"]
