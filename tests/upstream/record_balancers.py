"""Record the picks of a real nginx: python tests/upstream/record_balancers.py NGINX > tests/data/balancers/picks.json

Each case is an upstream block, with the requests that were made one after the other (a key, a client address, the
route of a sticky session) and the peers that nginx tried for each. Peers are addresses of 127/8 on one port; `dead`
ones refuse connections. NGINX is a binary of 1.31.0 or later, with the realip module.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ALIVE = range(2, 8)
KEYS = [f"/key/{n}" for n in range(60)]
CLIENTS = [f"{a}.{b}.{a ^ b}.7" for a in (10, 81, 192, 203) for b in range(0, 250, 23)]
CLIENTS6 = [f"2001:db8:{n:x}::{n * 7:x}" for n in range(1, 30)]

STICKY = "sticky route $http_x_route"
ROUTES = ["a", "a", "b", "", "c", "a", "x", "b", "b", "b", "", "", "a", "c"] * 3

CASES: dict[str, dict[str, Any]] = {
    "plain": {"servers": ["2", "3", "4"]},
    "weights": {"servers": ["2 weight=5", "3", "4"]},
    "weights-even": {"servers": ["2 weight=3", "3 weight=3", "4 weight=2", "5"]},
    "down": {"servers": ["2", "3 down", "4 weight=2"]},
    "failing": {"servers": ["2 weight=3", "9 weight=2 fail_timeout=1h", "4"]},
    "failing-patient": {"servers": ["2", "9 weight=4 max_fails=3 fail_timeout=1h", "4 weight=2"]},
    "backup": {"servers": ["9 fail_timeout=1h", "2 backup", "3 backup weight=2"]},
    "two-dead": {"servers": ["9 weight=2 fail_timeout=1h", "10 fail_timeout=1h", "2"]},
    "least_conn": {"method": "least_conn", "servers": ["2", "3 weight=2", "4"]},
    "hash": {"method": "hash $uri", "servers": ["2", "3 weight=2", "4", "5"], "keys": KEYS},
    "hash-failing": {"method": "hash $uri", "servers": ["2", "9 fail_timeout=1h", "4"], "keys": KEYS},
    "consistent": {"method": "hash $uri consistent", "servers": ["2", "3", "4", "5 weight=3"], "keys": KEYS},
    "consistent-failing": {
        "method": "hash $uri consistent",
        "servers": ["2", "3", "9 weight=2 fail_timeout=1h", "5"],
        "keys": KEYS,
    },
    "consistent-down": {"method": "hash $uri consistent", "servers": ["2", "3 down", "4"], "keys": KEYS},
    "ip_hash": {"method": "ip_hash", "servers": ["2", "3", "4 weight=2"], "clients": CLIENTS},
    "ip_hash-failing": {"method": "ip_hash", "servers": ["2", "9 fail_timeout=1h", "4"], "clients": CLIENTS},
    "least_time": {"method": "least_time header", "servers": ["2", "3 weight=2", "4"]},
    "least_time-backup": {"method": "least_time last_byte", "servers": ["9 fail_timeout=1h", "2 backup", "3 backup"]},
    "least_time-inflight": {"method": "least_time header inflight", "servers": ["2 weight=3", "3", "4 down"]},
    "sticky": {"method": STICKY, "servers": ["2 route=a", "3 route=b", "4 route=c", "5"], "routes": ROUTES},
    "sticky-weights": {
        "method": STICKY,
        "servers": ["2 weight=4 route=a", "3 route=b", "4 weight=2 route=c"],
        "routes": ROUTES,
    },
    "sticky-drain": {"method": STICKY, "servers": ["2 drain route=a", "3 down route=b", "4 route=c"], "routes": ROUTES},
    "sticky-failing": {
        "method": STICKY,
        "servers": ["9 fail_timeout=1h route=a", "2 route=b", "3 weight=2"],
        "routes": ROUTES,
    },
    "sticky-backup": {
        "method": STICKY,
        "servers": ["9 fail_timeout=1h route=a", "2 backup route=b", "3 backup route=c"],
        "routes": ROUTES,
    },
    "sticky-single": {"method": STICKY, "servers": ["2 route=a"], "routes": ROUTES},
    "sticky-least_conn": {
        "method": f"least_conn; {STICKY}",
        "servers": ["2 route=a", "3 weight=2 route=b", "4 route=c"],
        "routes": ROUTES,
    },
    "sticky-least_time": {
        "method": f"least_time header; {STICKY}",
        "servers": ["2 route=a", "3 weight=2 route=b", "4 route=c"],
        "routes": ROUTES,
    },
    "sticky-hash": {
        "method": f"hash $http_x_client; {STICKY}",
        "servers": ["2 route=a", "3 route=b", "4 route=c"],
        "routes": ROUTES,
    },
    "ip_hash-v6": {"method": "ip_hash", "servers": ["2", "3", "4", "5"], "clients": CLIENTS6},
}


def main() -> None:
    nginx = sys.argv[1]
    front, back = 18171, 18170  # fixed: the names of the peers go into the consistent hash
    text = ["daemon off; worker_processes 1; error_log stderr crit; pid nginx.pid; events {} http { access_log off;"]
    text.append("set_real_ip_from 127.0.0.0/8; real_ip_header X-Client;")
    text.append("client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;")
    for name, case in CASES.items():
        servers = " ".join(
            f"server 127.0.0.{server.replace(' ', f':{back} ', 1)};"
            if " " in server
            else f"server 127.0.0.{server}:{back};"
            for server in case["servers"]
        )
        text.append(f"upstream {name} {{ {case.get('method', '')}{';' if 'method' in case else ''} {servers} }}")
    for n in ALIVE:
        text.append(f"server {{ listen 127.0.0.{n}:{back}; location / {{ empty_gif; }} }}")
    text.append(f"server {{ listen 127.0.0.1:{front}; location / {{ proxy_pass http://$http_x_case;")
    text.append("add_header X-Picks $upstream_addr always; } } }")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "nginx.conf").write_text("\n".join(text))
        process = subprocess.Popen([nginx, "-p", folder, "-c", "nginx.conf"])
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", front)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            results = {}
            for name, case in CASES.items():
                requests: list[tuple[str, dict[str, str]]] = (
                    [(key, {}) for key in case.get("keys", [])]
                    or [("/", {"X-Client": client}) for client in case.get("clients", [])]
                    or [("/", {"X-Route": route}) for route in case.get("routes", [])]
                    or [("/", {})] * 40
                )
                picks = []
                for uri, fields in requests:
                    connection = http.client.HTTPConnection("127.0.0.1", front)
                    connection.request("GET", uri, headers={"X-Case": name} | fields)
                    answer = connection.getresponse()
                    picks.append(answer.headers["X-Picks"].split(", "))
                    connection.close()
                results[name] = {**case, "port": back, "picks": picks}
        finally:
            process.terminate()
            process.wait()
    version = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr.strip()
    json.dump({"recorded with": version, "cases": results}, sys.stdout, indent=None, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
