"""Three gateways and a store as machines of their own, in network namespaces whose wires the test cuts."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.faults import SECONDS, faults, measure
from tests.cluster.machines import EXACT_BURST, EXACT_RATE, RATE, Load, Node, Store
from tests.cluster.namespaces import FRONT, Network, why_not, within
from tests.cluster.redis import needs_redis
from tests.process.running import until

pytestmark = needs_redis
LOAD, NODES = 600, 3


@pytest.fixture
def network() -> Iterator[Network]:
    if why_not():
        pytest.skip(why_not())
    with Network() as made:
        yield made


@pytest.mark.timeout(300)
def test_a_limit_over_machines_and_a_store_that_fails(network: Network, tmp_path: Path) -> None:
    store = Store(network, tmp_path)
    store.start()
    nodes = [Node(network, number, tmp_path / str(number)) for number in range(1, NODES + 1)]
    try:
        with nodes[0], nodes[1], nodes[2]:
            for node in nodes:
                node.start()
            until(lambda: all(node.online for node in nodes), "all to be online")
            load = Load(nodes, {"/": LOAD})
            time.sleep(20)
            seconds = load.stop()
            rate, worst = load.admitted("/", 0, seconds), load.worst_second("/")
            print(f"\n{len(load.asked) / seconds:.0f} asked, {rate:.1f} admitted a second, worst {worst}")
            assert not load.failed()
            assert 0.95 * RATE <= rate <= 1.05 * RATE + 20 / seconds, rate
            assert worst <= 1.4 * RATE, worst

            load = Load(nodes, {"/": LOAD // 2, "/login": 3 * EXACT_RATE})
            measured = [measure(fault, nodes, load) for fault in faults(network, store, nodes)]
            load.stop()
            print("\n".join(row.text for row in measured))
            assert not load.failed()
            for row in measured:
                assert row.alone > row.fault.alone * RATE, row.text
                assert 0.5 * RATE < row.after < 1.3 * RATE, row.text
                assert 0.5 * EXACT_RATE < row.exact_after <= EXACT_RATE * 1.1 + EXACT_BURST / SECONDS, row.text
                assert all(row.lines[node] >= 2 for node in row.fault.lonely), row.text
    finally:
        store.kill()


@pytest.mark.timeout(120)
def test_what_one_knows_all_know(network: Network, tmp_path: Path) -> None:
    store = Store(network, tmp_path)
    store.start()
    certificate, key = authority_files(tmp_path)
    (tmp_path / "secret").write_bytes(bytes(range(64)))
    main = f"""ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_session_cache shared:tls:1m;
        proxy_cache_path cache keys_zone=kept:1m sync;
        upstream app {{ zone app 128k sync; server 127.0.0.1:8001; server 127.0.0.1:8002;
            sticky learn create=$upstream_cookie_id lookup=$cookie_id zone=sessions:1m sync; }}
        upstream plain {{ zone plain 128k sync; server 127.0.0.1:8001; server 127.0.0.1:8002; }}
        server {{ listen 127.0.0.1:8001; add_header Set-Cookie id=$request_id; location / {{ return 200 one; }} }}
        server {{ listen 127.0.0.1:8002; add_header Set-Cookie id=$request_id; location / {{ return 200 two; }} }}
        server {{ listen 127.0.0.1:8003; location / {{ return 200 $request_id; }} }}
        map $request_method $purges {{ PURGE 1; default 0; }}"""
    locations = """location /app { proxy_pass http://app; } location /plain { proxy_pass http://plain; }
        location /kept { proxy_cache kept; proxy_cache_valid 10m; proxy_cache_key $uri; proxy_cache_purge $purges;
            proxy_pass http://127.0.0.1:8003; add_header X-Cache $upstream_cache_status; }"""
    more = f"ticket_key={tmp_path}/secret"
    nodes = [Node(network, number, tmp_path / str(number), locations, main, more) for number in range(1, NODES + 1)]
    try:
        with nodes[0], nodes[1], nodes[2]:
            for node in nodes:
                node.start()
            until(lambda: all(node.online for node in nodes), "all to be online")
            _sessions_resume(nodes)
            _sessions_stick(nodes)
            print(f"\npurged everywhere after {_purge(nodes):.3f} s, drained after {_drain(nodes):.3f} s")
    finally:
        store.kill()


def authority_files(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "c.pem", folder / "k.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=example.test", "-keyout", str(key), "-out", str(certificate)],
        capture_output=True, timeout=30, check=True,
    )  # fmt: skip
    return certificate, key


def _sessions_resume(nodes: list[Node]) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def handshake(node: Node, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        with context.wrap_socket(node.network.connect(node.host, 443), session=session) as wire:
            wire.sendall(b"GET /?k= HTTP/1.0\r\n\r\n")
            while wire.recv(4096):
                pass
            return wire.session, bool(wire.session_reused)

    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.maximum_version = version
        handshake(nodes[0], None)
        time.sleep(0.5)
        session, _ = handshake(nodes[0], None)
        for node in nodes[1:]:
            assert handshake(node, session)[1], (version, node.name)


def _sessions_stick(nodes: list[Node]) -> None:
    for _ in range(6):
        _, fields, body = nodes[0].ask("/app")
        cookie = fields["set-cookie"]
        time.sleep(0.3)
        for node in nodes[1:]:
            assert {node.ask("/app", Cookie=cookie)[2] for _ in range(4)} == {body}


def _purge(nodes: list[Node]) -> float:
    for node in nodes:
        assert [node.ask("/kept/a")[1]["x-cache"] for _ in range(2)] == ["MISS", "HIT"]
    time.sleep(1.1)  # an answer's time is in whole seconds
    assert nodes[0].ask("/kept/a", "PURGE")[0] == 204
    began = time.monotonic()
    for node in nodes:
        until(lambda node=node: node.ask("/kept/a")[1]["x-cache"] == "MISS", "the purge", 5)
    took = time.monotonic() - began
    assert nodes[1].ask("/kept/none", "PURGE")[0] == 204, "another node may have it"
    return took


def _drain(nodes: list[Node]) -> float:
    path = "/api/9/http/upstreams/plain/servers/0"
    assert nodes[0].ask(path, "PATCH", b'{"down": true}')[0] == 200
    time.sleep(0.3)
    for node in nodes:
        assert {node.ask("/plain")[2] for _ in range(4)} == {b"two"}, node.name
    assert nodes[0].ask(path, "PATCH", b'{"down": false, "drain": true}')[0] == 200
    began = time.monotonic()
    until(lambda: all("drain" in json.loads(node.ask(path)[2]) for node in nodes), "all to drain")
    took = time.monotonic() - began
    assert took < 0.3, took
    return took


KEEPALIVED = shutil.which("keepalived")


@pytest.mark.timeout(120)
@pytest.mark.skipif(KEEPALIVED is None, reason="keepalived is not installed")
def test_an_address_moves(network: Network, tmp_path: Path) -> None:
    """keepalived in two namespaces, one address; its machine dies, and clients who ask meanwhile are counted."""
    store = Store(network, tmp_path)
    store.start()
    nodes = [Node(network, number, tmp_path / str(number)) for number in (1, 2)]
    address = f"{FRONT}.100"
    movers: list[subprocess.Popen[bytes]] = []
    try:
        with nodes[0], nodes[1]:
            for number, node in enumerate(nodes):
                node.start()
                conf = node.folder / "keepalived.conf"
                conf.write_text(
                    f"""global_defs {{
                        router_id {node.name}
                    }}
                    vrrp_instance front {{
                        state {"BACKUP" if number else "MASTER"}
                        interface front
                        version 3
                        virtual_router_id 7
                        priority {100 - number}
                        advert_int 0.1
                        virtual_ipaddress {{
                            {address}/24
                        }}
                    }}"""
                )
                movers.append(_mover(node))
            until(lambda: _answers(network, address, 1.0), "the address", 20)
            time.sleep(2)
            for what in ("ended", "cut off"):
                outcomes: list[tuple[float, bool]] = []
                began = time.monotonic()
                happened = 0.0
                while time.monotonic() < began + 4:
                    if not happened and time.monotonic() > began + 1:
                        happened = time.monotonic()
                        if what == "ended":
                            movers[0].terminate()
                        else:
                            network.cut("n2", "front")
                    asked = time.monotonic()
                    outcomes.append((asked, _answers(network, address, 0.1)))
                    time.sleep(max(asked + 0.02 - time.monotonic(), 0))
                lost = [at - happened for at, answered in outcomes if not answered]
                print(f"\n{what}: {len(lost)} of {len(outcomes)} lost, the last after {max(lost, default=0):.2f} s")
                assert outcomes[-1][1] and len(lost) < 60, (what, lost)
                if what == "ended":  # back, and then the other's machine
                    movers[0].wait(10)
                    conf = nodes[0].folder / "keepalived.conf"
                    conf.write_text(conf.read_text().replace("priority 100", "priority 50"))
                    movers[0] = _mover(nodes[0])
                    time.sleep(2)
    finally:
        for mover in movers:
            mover.terminate()
            mover.wait(10)
        store.kill()


def _mover(node: Node) -> subprocess.Popen[bytes]:
    assert KEEPALIVED is not None
    files = ["-f", "keepalived.conf", "-p", "ka.pid", "-r", "vrrp.pid"]
    command = [KEEPALIVED, "-n", "-P", "-l", *(word if word[0] == "-" else str(node.folder / word) for word in files)]
    with within(node.namespace), (node.folder / "ka.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _answers(network: Network, address: str, timeout: float) -> bool:
    try:
        with network.connect(address, 80, timeout) as wire:
            wire.sendall(b"GET /?k= HTTP/1.0\r\n\r\n")
            return wire.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
