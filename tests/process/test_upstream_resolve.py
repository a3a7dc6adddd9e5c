"""A name that is resolved at run time, between real processes: both workers follow DNS, whichever of them dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import trio

from tests.dns_server import DnsServer, dns_server
from tests.process.running import GATEWAY, Running, fetch, free_port, until


class Echo(socketserver.BaseRequestHandler):
    """Answers each request with the address that it came to."""

    def handle(self) -> None:
        self.request.recv(65536)
        body = self.request.getsockname()[0].encode()
        self.request.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@contextlib.contextmanager
def echoing() -> Iterator[int]:
    """A server on one port of all addresses of this host."""
    with socketserver.ThreadingTCPServer(("0.0.0.0", 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def naming() -> Iterator[DnsServer]:
    """A DNS server in a thread of its own."""
    started = threading.Event()
    running: list[DnsServer] = []
    token: list[trio.lowlevel.TrioToken] = []
    scope = trio.CancelScope()

    async def main() -> None:
        with scope:
            async with dns_server() as server:
                running.append(server)
                token.append(trio.lowlevel.current_trio_token())
                started.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    assert started.wait(10)
    try:
        yield running[0]
    finally:
        token[0].run_sync_soon(scope.cancel)
        thread.join()


CONF = """
{user} daemon off; worker_processes 2; pid nginx.pid; error_log error.log info;
events {{ }}
http {{
    resolver {dns} ipv6=off;
    upstream app {{ zone app 64k; server app.test:{to} resolve; }}
    server {{
        listen 127.0.0.1:{port} reuseport;
        location / {{ proxy_pass http://app; }}
        location /pid {{ return 200 $pid; }}
    }}
}}
"""


def test_workers_follow_dns(tmp_path: Path) -> None:
    port = free_port()
    user = "user root;" * (os.geteuid() == 0)
    with naming() as dns, echoing() as to, Running(tmp_path, GATEWAY) as running:
        dns.ttl = 1
        dns.records["app.test", "A"] = ["127.0.0.1"]
        (tmp_path / "nginx.conf").write_text(CONF.format(user=user, dns=dns.address, to=to, port=port))
        running.start()
        assert fetch(("127.0.0.1", port)) == "127.0.0.1", "the first request finds the name known"
        until(lambda: len(running.workers) == 2, "two workers")

        def answers() -> set[str]:
            """What some requests get, enough of them that both workers have answered."""
            found: set[str] = set()
            workers: set[str] = set()
            for count in range(200):
                found.add(fetch(("127.0.0.1", port)))
                workers.add(fetch(("127.0.0.1", port), "/pid"))
                if len(found) > 1 or (len(workers) == 2 and count > 20):
                    break
            return found

        dns.records["app.test", "A"] = ["127.0.0.2"]
        until(lambda: answers() == {"127.0.0.2"}, "both workers to see the change")
        for number, worker in enumerate(running.workers, 3):
            os.kill(worker, signal.SIGKILL)
            until(lambda worker=worker: worker not in running.workers and len(running.workers) == 2, "another worker")
            dns.records["app.test", "A"] = [f"127.0.0.{number}"]
            until(lambda number=number: answers() == {f"127.0.0.{number}"}, "the change after a worker's death")
        running.end()
    assert not [line for line in running.logged(r".*\[(?:alert|crit|emerg)\].*") if "signal 9" not in line]


def test_services_as_consul_names_them(tmp_path: Path) -> None:
    """SRV with a port, a weight and a priority for each instance, whose target is `HEX.addr.dc1.consul`."""
    port = free_port()
    user = "user root;" * (os.geteuid() == 0)
    with naming() as dns, echoing() as to, Running(tmp_path, GATEWAY) as running:
        dns.ttl = 1
        service = "_http._tcp.app.service.consul"
        for number in (1, 2, 3):
            dns.records[f"7f00000{number}.addr.dc1.consul", "A"] = [f"127.0.0.{number}"]
        one, two, backup = (
            f"{priority} {weight} {to} 7f00000{number}.addr.dc1.consul."
            for number, priority, weight in ((1, 1, 3), (2, 1, 1), (3, 2, 1))
        )
        dns.records[service, "SRV"] = [one, two, backup]
        text = CONF.replace("server app.test:{to} resolve;", "server app.service.consul service=http resolve;")
        (tmp_path / "nginx.conf").write_text(text.format(user=user, dns=dns.address, to=to, port=port))
        running.start()
        until(lambda: len(running.workers) == 2, "two workers")
        found = [fetch(("127.0.0.1", port)) for _ in range(80)]
        assert set(found) == {"127.0.0.1", "127.0.0.2"}, "a higher priority is a backup"
        assert found.count("127.0.0.1") > 1.5 * found.count("127.0.0.2"), "three to one"

        def answers() -> set[str]:
            return {fetch(("127.0.0.1", port)) for _ in range(40)}

        dns.records[service, "SRV"] = [two, backup]  # an instance is unhealthy, and leaves Consul's answer
        until(lambda: answers() == {"127.0.0.2"}, "the instance to be gone", 30)
        dns.records[service, "SRV"] = [backup]
        until(lambda: answers() == {"127.0.0.3"}, "the backup", 30)
        dns.records[service, "SRV"] = [one, two, backup]
        until(lambda: answers() == {"127.0.0.1", "127.0.0.2"}, "all to be back", 30)
        running.end()
    assert not running.logged(r".*\[(?:alert|crit|emerg)\].*")
