"""dashboard: what it shows, to whom, and what it lets nobody do."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trio

from gateway.config.errors import ConfigError
from tests import certificates
from tests.engine import Engine, Reply, load_http, serving

HOSTILE = "<img src=x onerror=alert(1)>"
CONF = """
    request_history %(folder)s/ring;
    limit_req_zone $arg_k zone=slow:1m rate=1r/s;
    upstream app { zone app 64k; server 127.0.0.1:1; server 127.0.0.1:2 max_conns=3; }
    upstream "<img src=x onerror=alert(1)>" { zone evil 64k; server 127.0.0.1:1; }
    server {
        listen 127.0.0.1:1; server_name localhost; status_zone "<b>site</b>";
        location /gw/ { dashboard %(more)s; }
        location /ok { return 200 ok; }
        location /fails { proxy_pass http://app; }
    }
"""


def _conf(folder: Path, more: str = "") -> str:
    return CONF % {"folder": folder, "more": more}


class _Page(HTMLParser):
    """Elements and attributes of a page."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(reply.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_overview(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        await engine.get("/fails")
        reply = await engine.get("/gw/")
        page = _Page(reply)
    assert reply.header("content-type") == b"text/html; charset=utf-8"
    assert reply.header("cache-control") == b"no-store"
    for words in ("upstream app", "127.0.0.1:2", "of 3", "▲ up", "slow", "<b>site</b>", HOSTILE, "workers"):
        assert words in page.text
    assert "connect() failed (111: Connection refused)" in page.text
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"img", "iframe", "form"}
    assert [attributes for tag, attributes in page.elements if tag == "b" and attributes] == []


async def test_nothing_comes_from_elsewhere(tmp_path: Path) -> None:
    """One page: no address of another host, scripts and styles by their nonce alone, no handler in an attribute."""
    async with serving(_conf(tmp_path, "write=on")) as engine:
        await engine.get("/fails")
        for path in ("/gw/", "/gw/requests"):
            reply = await engine.get(path)
            policy = (reply.header("content-security-policy") or b"").decode()
            nonces = set(re.findall("'nonce-([^']+)'", policy))
            page = _Page(reply)
            assert policy.startswith("default-src 'none'") and len(nonces) == 1
            assert {a["nonce"] for tag, a in page.elements if tag in ("script", "style")} == nonces
            assert not [a for _, a in page.elements if any(name.startswith("on") or name == "style" for name in a)]
            places = [a[name] or "" for _, a in page.elements for name in ("href", "src", "action") if name in a]
            assert places and all(place.startswith("/gw/") or place == "data:," for place in places)
            assert len(reply.body) < 80 * 1024


async def test_the_part_that_is_looked_at_anew(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        whole = await engine.get("/gw/")
        part = await engine.get("/gw/", {"X-Part": "1"})
        data = json.loads((await engine.get("/gw/data.json")).body)
        table = (await engine.get("/gw/data.csv")).body.decode()
    rows = list(csv.reader(io.StringIO(table)))
    assert rows[0] == ["table", "name", "figure", "value"] and {len(row) for row in rows} == {4}
    peer = data["upstreams"]["app"]["peers"][0]
    assert ["upstreams", f"app {peer['name']}", "responses.5xx", "0"] in rows
    assert {row[0] for row in rows[1:]} <= set(data)
    assert part.body.startswith(b'<div id="overview" data-part>')
    assert len(part.body) < len(whole.body)
    assert set(data["upstreams"]) == {"app", HOSTILE}


async def test_requests(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        await engine.get("/ok?<script>alert(1)</script>", {"X-Evil": "<script>", "Authorization": "Basic YTpi"})
        await engine.get("/fails")
        listed = _Page(await engine.get("/gw/requests"))
        failed = _Page(await engine.get("/gw/requests?q=status%3A5xx"))
        wrong = _Page(await engine.get("/gw/requests?q=colour%3Ared"))
        links = [a["href"] for tag, a in listed.elements if tag == "a" and "/requests/" in (a.get("href") or "")]
        one = await engine.get(str(links[-1]))
        none = await engine.get("/gw/requests/nothing")
    assert len(links) == 2  # the dashboard's own are not kept
    assert "/ok?<script>alert(1)</script>" in listed.text
    assert "/fails" in failed.text and "/ok" not in failed.text
    assert '"colour:" is nothing to filter by' in wrong.text
    page = _Page(one)
    assert "X-Evil" in page.text and "Basic ****" in page.text
    assert re.search(r"gateway explain -p \S+ -c nginx.conf --id \w+", page.text)
    assert "curl -i -H 'User-Agent" in page.text or "curl -i " in page.text
    assert "YTpi" not in page.text
    assert none.status == 404


async def _states(engine: Engine) -> list[str]:
    data = json.loads((await engine.get("/gw/data.json")).body)
    return [peer["state"] for peer in data["upstreams"]["app"]["peers"]]


async def test_changes(tmp_path: Path) -> None:
    own = {"Origin": "http://localhost", "Content-Type": "application/x-www-form-urlencoded"}
    async with serving(_conf(tmp_path, "write=on")) as engine:
        for to, state in (("drain", "draining"), ("up", "up"), ("down", "down")):
            form = f"upstream=app&id=1&to={to}".encode()
            reply = await engine.request("POST", "/gw/", own, body=form)
            assert (reply.status, (reply.header("location") or b"").endswith(b"/gw/")) == (303, True)
            assert await _states(engine) == ["up", state]
        for form in (b"upstream=none&id=1&to=up", b"upstream=app&id=1&to=x", b""):
            assert (await engine.request("POST", "/gw/", own, body=form)).status == 400
        assert (await engine.request("POST", "/gw/", own, body=b"upstream=app&id=9&to=up")).status == 404


async def test_any_name_of_an_upstream_can_be_changed_and_has_a_part_of_its_own(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, what looks like an escape, names that differ in signs alone."""
    names = ["b\udcffd", "a.b", "a-b", "a b", "50%25", "a+b", "ä"]
    upstreams = "".join(f'upstream "{name}" {{ zone z{at} 64k; server 127.0.0.1:1; }}' for at, name in enumerate(names))
    own = {"Origin": "http://localhost", "Content-Type": "application/x-www-form-urlencoded"}
    site = "server { listen 127.0.0.1:1; location /gw/ { dashboard write=on; } }"
    async with serving(upstreams + site) as engine:
        page = _Page(await engine.get("/gw/"))
        forms = [a["value"] for tag, a in page.elements if a.get("name") == "upstream"]
        for form in forms:
            body = urlencode({"upstream": form, "id": "0", "to": "drain"}).encode()
            assert (await engine.request("POST", "/gw/", own, body=body)).status == 303
        data = json.loads((await engine.get("/gw/data.json")).body)
    assert {name: [each["state"] for each in data["upstreams"][name]["peers"]] for name in names} == {
        name: ["draining"] for name in names
    }
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids)) and not [id for id in ids if not id or re.search(r"\s", id)]


@pytest.mark.parametrize(
    "fields",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "https://localhost"}, {},
        {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://localhost.evil.example"},
    ],
)  # fmt: skip
async def test_other_sites_change_nothing(tmp_path: Path, fields: dict[str, str]) -> None:
    async with serving(_conf(tmp_path, "write=on")) as engine:
        assert (await engine.request("POST", "/gw/", fields, body=b"upstream=app&id=1&to=down")).status == 403
        assert await _states(engine) == ["up", "up"]


async def test_other_sites_read_nothing(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        other = await engine.get("/gw/data.json", {"Origin": "http://evil.example"})
        assert (other.status, other.body) == (403, b"dashboard: the page of another site asks\n")
        assert (await engine.get("/gw/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})).status == 403
        # a link that is followed
        assert (await engine.get("/gw/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})).status == 200


async def test_write_is_off(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        own = {"Origin": "http://localhost"}
        assert (await engine.request("POST", "/gw/", own, body=b"upstream=app&id=1&to=down")).status == 405
        assert "form" not in {tag for tag, _ in _Page(await engine.get("/gw/")).elements}


async def test_places(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        assert (await engine.get("/gw/none")).status == 404
        assert (await engine.request("PUT", "/gw/")).status == 405
    text = "server { listen 127.0.0.1:1; location /gw { dashboard; } }"
    async with serving(text) as engine:
        assert (await engine.get("/gw")).status == 301
        page = _Page(await engine.get("/gw/"))
        assert "requests a second" in page.text
        assert (await engine.get("/gw/requests")).status == 404  # no history


_MOST_BYTES = 80 * 1024


def _links(page: _Page, words: str) -> list[str]:
    return [a["href"] or "" for tag, a in page.elements if tag == "a" and words in (a.get("href") or "")]


async def _light(engine: Engine, path: str) -> _Page:
    reply = await engine.get(path)
    assert reply.status == 200 and len(reply.body) <= _MOST_BYTES, (path, len(reply.body))
    return _Page(reply)


async def test_many_peers(tmp_path: Path) -> None:
    """The overview has those that are not up, and how many there are; all others are one link away, and are found."""
    servers = " ".join(
        f"server 127.0.{number // 250}.{number % 250 + 1}:80{' down' if number == 7777 else ''};"
        for number in range(10_000)
    )
    site = "server { listen 127.0.0.1:1; location /gw/ { dashboard write=on; } }"
    text = f"upstream app {{ zone app 32m; {servers} }} {site}"
    form = {"Origin": "http://localhost", "Content-Type": "application/x-www-form-urlencoded"}
    async with serving(text) as engine:
        page = await _light(engine, "/gw/")
        assert "10,000 peers" in page.text and "20 of 10,000, those that are not up first" in page.text
        assert "127.0.31.28:80■ down" in page.text
        (link,) = _links(page, "upstreams?of=app")
        page = await _light(engine, link)
        assert "1 to 60 of 10,000" in page.text and "page 1 of 167" in page.text
        seen = set(re.findall(r"127\.0\.\d+\.\d+:80", page.text))
        for number in (2, 100, 167):
            page = await _light(engine, f"{link}&page={number}")
            seen |= set(re.findall(r"127\.0\.\d+\.\d+:80", page.text))
        assert len(seen) == 60 * 3 + 10_000 % 60
        page = await _light(engine, f"{link}&q=DOWN")
        assert "1 of 10,000 have these words" in page.text and "127.0.31.28:80" in page.text
        (action,) = {a["action"] for tag, a in page.elements if tag == "form" and a.get("method") == "post"}
        body = b"upstream=app&id=7777&to=up"
        for referer, back in (
            (f"http://localhost{link}&q=DOWN", f"{link}&q=DOWN"), ("http://localhost/gw/", "/gw/"), ("", "/gw/"),
            ("http://evil.example/gw/upstreams?of=app", "/gw/"), (f"http://localhost{link}\x7f", "/gw/"),
        ):  # fmt: skip
            reply = await engine.request("POST", str(action), {**form, "Referer": referer}, body=body)
            assert reply.status == 303 and (reply.header("location") or b"").decode().endswith(back)
        page = await _light(engine, f"{link}&q=down")
        assert "none of 10,000 have these words" in page.text
        assert (await engine.get("/gw/upstreams?of=none")).status == 404


async def test_many_zones_upstreams_and_locations(tmp_path: Path) -> None:
    zones = "".join(f"location /l{number} {{ status_zone zone-{number}; return 200 ok; }}" for number in range(1000))
    upstreams = "".join(
        f"upstream app-{number} {{ zone a{number} 64k; server 127.0.0.1:1{' down' if number == 765 else ''}; "
        "server 127.0.0.1:2; server 127.0.0.1:3; server 127.0.0.1:4; server 127.0.0.1:5; }"
        for number in range(1000)
    )
    servers = "".join(
        f"server {{ listen 127.0.0.1:1; server_name s{number}; status_zone s{number}; }}" for number in range(1000)
    )
    limits = "".join(f"limit_conn_zone $uri zone=limit{number}:32k;" for number in range(100))
    site = f"server {{ listen 127.0.0.1:1; location /gw/ {{ dashboard write=on; }} {zones} }}"
    async with serving(f"request_history {tmp_path}/ring; {limits} {upstreams} {site} {servers}") as engine:
        for _ in range(3):
            await engine.get("/l900")
        for number in range(100):
            await engine.get(f"/l1?{'x' * 8000}{number}", {"X-A": "y" * 1000})
        page = await _light(engine, "/gw/")
        assert "25 of 1,000, those with most requests" in page.text and "zone-900" in page.text
        assert "8 of 1,000, those with peers that are not up first" in page.text and "upstream app-765" in page.text
        for path in ("servers", "locations", "limits", "upstreams", "events", "caches", "workers", "certificates"):
            assert "page=" not in path and await _light(engine, f"/gw/{path}")
        (link,) = _links(page, "locations")
        seen = set()
        for number in range(1, 11):
            page = await _light(engine, f"{link}?page={number}")
            seen |= set(re.findall(r"zone-\d+", page.text))
        assert len(seen) == 1000
        page = await _light(engine, f"{link}?q=zone-99&page=7")
        assert "11 of 1,000 have these words" in page.text
        page = await _light(engine, "/gw/upstreams?q=app-765")
        assert _links(page, "of=") == ["/gw/upstreams?of=app-765"] and "▼ 1" in page.text
        page = await _light(engine, "/gw/configuration")
        (link,) = _links(page, "configuration?of=")
        assert "60 of 2,002" in page.text
        seen = set()
        for number in range(1, 27):
            seen |= set(re.findall(r"/l\d+", (await _light(engine, f"{link}&page={number}")).text))
        assert len(seen) == 1000
        page = await _light(engine, "/gw/requests")
        (older,) = _links(page, "page=2")
        assert "1 to 80" in page.text and re.search(r"x… \(\d,\d{3} characters\)", page.text)
        page = await _light(engine, older)
        assert "81 to 103" in page.text and _links(page, "page=") == [] and "newer" in page.text
        one = await engine.get(_links(page, "requests/")[0])
        assert one.status == 200
        gone = await engine.get("/gw/requests/nothing")
        assert gone.status == 404 and "nothing is not among the last 1,000 requests" in _Page(gone).text


async def test_the_application_behind_an_upstream(tmp_path: Path) -> None:
    stats = {"version": "2.0", "workers": [{"id": 1, "status": "<i>busy</i>", "rss": 1 << 21, "exceptions": 2}]}

    async def say(stream: trio.SocketStream) -> None:
        await stream.send_all(json.dumps(stats).encode())
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, say, [listener])
        port = listener.socket.getsockname()[1]
        async with serving(_conf(tmp_path, f"app=app=127.0.0.1:{port}")) as engine:
            page = _Page(await engine.get("/gw/"))
        assert "application app" in page.text and "<i>busy</i>" in page.text and "2.0 MiB" in page.text
        nursery.cancel_scope.cancel()


_HUGE = b"9" * 4000
_ODD = b'{"workers": [{"rss": %b, "avg_rt": %b, "exceptions": %b, "requests": -1, "id": null, "pid": {}, "status": 0}]}'


@pytest.mark.parametrize(
    "said",
    [
        b'{"workers": 5}', b'{"workers": [1]}', b"[" * 100_000, b"\xff", b"[]", b"", _ODD % (_HUGE, _HUGE, _HUGE),
        _ODD % (b"-1", b"1e400", b"true"), b'{"workers": [{"status": "\\ud800"}], "version": ' + _HUGE * 2 + b"}",
        b'{"workers": [' + b",".join([b'{"id": 1}'] * 3000) + b"]}",
    ],
)  # fmt: skip
async def test_stats_of_another_form(tmp_path: Path, said: bytes) -> None:
    """The page is there, whatever the socket says."""

    async def say(stream: trio.SocketStream) -> None:
        await stream.send_all(said)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, say, [listener])
        port = listener.socket.getsockname()[1]
        async with serving(_conf(tmp_path, f"app=app=127.0.0.1:{port}")) as engine:
            reply = await engine.get("/gw/")
        assert reply.status == 200 and "application app" in _Page(reply).text and len(reply.body) < 100_000
        nursery.cancel_scope.cancel()


async def test_an_application_behind_an_upstream_without_a_zone_is_shown(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path, f"app=other=unix:{tmp_path}/none")) as engine:
        page = _Page(await engine.get("/gw/"))
    assert "application other" in page.text and "No such file" in page.text


@pytest.mark.parametrize("address", ["nonsense", "unix:", "127.0.0.1:0", "127.0.0.1:65536", ":1", "a:²", "gunicorn:x"])
def test_no_address(address: str) -> None:
    with pytest.raises(ConfigError, match=f'invalid address "{address}" in "app=x={address}"'):
        load_http(f"server {{ listen 127.0.0.1:1; location / {{ dashboard app=x={address}; }} }}")


@pytest.mark.parametrize("word", ["write", "write=maybe", "app=x", "app=x=", "nonsense"])
def test_wrong(word: str) -> None:
    with pytest.raises(ConfigError, match=f'invalid parameter "{word}"'):
        load_http(f"server {{ listen 127.0.0.1:1; location / {{ dashboard {word}; }} }}")


async def test_the_configuration_and_what_matched(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        for _ in range(3):
            await engine.get("/ok")
        reply = await engine.get("/gw/configuration")
        page = _Page(reply)
        overview = _Page(await engine.get("/gw/"))
    assert ("a", {"href": "/gw/configuration"}) in overview.elements
    assert "listen 127.0.0.1:1" in page.text and "server localhost (default)" in page.text
    cells = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in reply.body.decode().split("<tr>")]
    counts = {row[0].strip("\u2003"): row[2] for row in cells if row and "server" not in row[0]}
    assert counts == {"/ok": "3", "/fails": "0", "/gw/": "0"}


async def test_certificates_with_their_end(tmp_path: Path) -> None:
    """A file's, one of ACME that is waited for, and one that a variable names."""
    chain, key = certificates.write(tmp_path)
    files = f"ssl_certificate {chain}; ssl_certificate_key {key};"
    servers = f"""acme_issuer ca {{ uri https://127.0.0.1:1/dir; state_path off; }}
        server {{ listen 127.0.0.1:443 ssl; server_name a.example; {files} }}
        server {{ listen 127.0.0.1:443 ssl; server_name b.example; {files} }}
        server {{ listen 127.0.0.1:443 ssl; server_name c.example; acme_certificate ca;
                  ssl_certificate $acme_certificate; ssl_certificate_key $acme_certificate_key; }}
        server {{ listen 127.0.0.1:443 ssl; server_name d.example;
                  ssl_certificate {tmp_path}/$ssl_server_name; ssl_certificate_key {tmp_path}/$ssl_server_name; }}"""
    async with serving(_conf(tmp_path) + servers) as engine:
        data = json.loads((await engine.get("/gw/data.json")).body)
        page = _Page(await engine.get("/gw/"))
        assert b"\ncertificates," in (await engine.get("/gw/data.csv")).body
    first, *others = data["certificates"]
    assert first["certificate"] == str(chain) and first["servers"] == ["a.example", "b.example"]
    assert first["days"] >= 0 and first["state"] in ("good", "ends soon")
    states = {one["certificate"]: one["state"] for one in others}
    # the worker may have begun to ask for it, or have failed by now
    asked = ("none yet", "waited for since")
    assert states.pop("c.example (ACME)").startswith(asked)
    assert states == {f"{tmp_path}/$ssl_server_name": "known at the handshake"}
    assert any(f"◇ {state}" in page.text for state in asked) and "what ends first stands first" in page.text
