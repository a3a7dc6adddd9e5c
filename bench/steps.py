#!/usr/bin/env python3
"""What each step of a real location costs: instructions in user space, beside a file of 1 KiB without any.

All steps are servers of one configuration, asked for each in turn under callgrind: nginx first, then gateway.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import Lab, Refused, Server, Subject, default_gateway
from instructions import Counting, by_function, in_turns, running, under_valgrind
from workloads import Figures, Workload


@dataclass(frozen=True)
class Step:
    name: str
    server: str  # inside server { }
    http: str = ""
    path: str = "/1k"
    fields: tuple[str, ...] = ()
    status: int = 200
    own: bool = False  # nginx has not got it
    kept: bool = False  # by request_history


BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language: en-GB,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br, zstd", "Cookie: theme=dark; sessionid=0123456789abcdef",
    "Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: none", "Upgrade-Insecure-Requests: 1",
)  # fmt: skip
STEPS = (
    Step("nothing", ""),
    Step("access_log", "access_log access.log;"),
    Step("limit_req", "limit_req zone=one burst=1000000 nodelay;",
         "limit_req_zone $binary_remote_addr zone=one:1m rate=100000000r/s;"),
    Step("limit_conn", "limit_conn two 10000;", "limit_conn_zone $binary_remote_addr zone=two:1m;"),
    Step("four add_header", "".join(f'add_header X-Name{i} "value {i}";' for i in range(4))),
    Step("add_header $map", "add_header X-Kind $kind;",
         "map $uri $kind { default other; ~^/static/ static; ~*\\.(css|js)$ code; /index.html index; }"),
    Step("add_header, a template", 'add_header X-Where "$scheme://$host$request_uri";'),
    Step("expires", "expires 30d;"),
    Step("try_files", "location / { try_files $uri $uri/ =404; }"),
    Step("four regex locations",
         "location ~ /\\.(?!well-known) { deny all; } location ~* \\.(jpg|png|css|js)$ { expires 30d; }"
         " location ~ ^/api/v[0-9]+/ { return 404; } location ~ ^/(?<name>[0-9]+k)$ { }"),
    Step("set, if, if, rewrite",
         'set $kind2 "$request_method:$scheme"; if ($http_x_debug) { return 403; }'
         " if ($request_method = TRACE) { return 405; } rewrite ^/old/(.*)$ /$1 last;"),
    Step("realip", "set_real_ip_from 192.0.2.0/24; real_ip_header X-Forwarded-For;",
         fields=("X-Forwarded-For: 198.51.100.7",)),
    Step("allow, deny", "deny 192.0.2.0/24; deny 2001:db8::/32; allow 127.0.0.0/8; deny all;"),
    Step("auth_basic", "auth_basic site; auth_basic_user_file @DIR@/files/users;",
         fields=("Authorization: Basic bWU6c2VjcmV0",)),
    Step("gzip, not this type", "gzip on; gzip_types text/css application/javascript; gzip_vary on;",
         fields=("Accept-Encoding: gzip, br",)),
    Step("charset", "charset utf-8; default_type text/plain;"),
    Step("index", "index index.html index.htm;", path="/folder/"),
    Step("error_page", "error_page 404 /1k; log_not_found off;", path="/missing", status=404),
    Step("geo", "add_header X-Where $where;", "geo $where { default x; 10.0.0.0/8 y; 127.0.0.0/8 z; }"),
    Step("split_clients", "add_header X-Part $part;", "split_clients $request_uri $part { 50% a; * b; }"),
    Step("If-None-Match", "", fields=('If-None-Match: "none"',)),
    Step("Range", "", fields=("Range: bytes=0-99",), status=206),
    Step("return", "location / { return 200 hello; }"),
    Step("return, status_zone", "status_zone site; location / { return 200 hello; }", own=True),
    Step("return, request_history", "location / { return 200 hello; }", own=True, kept=True),
    Step("return, status_zone and request_history", "status_zone site; location / { return 200 hello; }", own=True,
         kept=True),
    # nobody is there to take the spans: they are made, and kept until there are too many
    Step("return, otel_trace", "location / { return 200 hello; } otel_trace on;",
         "otel_exporter { endpoint 127.0.0.1:9; batch_count 1000; }", own=True),
    Step("return to a browser", "location / { return 200 hello; }", fields=BROWSER),
    Step("return to a browser, request_history", "location / { return 200 hello; }", fields=BROWSER, own=True,
         kept=True),
)  # fmt: skip


def host(step: Step) -> str:
    return f"step{STEPS.index(step)}.test"


def block(step: Step, kept: bool) -> str:
    # http's directive is every server's
    off = "request_history off;" if kept and not step.kept else ""
    return f"server {{ listen 127.0.0.1:@PORT@; server_name {host(step)}; root @DIR@/files;\n{off}\n{step.server} }}"


def warm(lab: Lab, server: Server) -> Figures:
    lab.file("1k", 1024)
    (lab.files / "users").write_bytes(b"me:{PLAIN}secret\n")
    (lab.files / "folder").mkdir(exist_ok=True)
    (lab.files / "folder/index.html").write_bytes(b"x" * 1024)
    lab.client(server, lab.request("/"))
    return {"": 0.0}


def site(steps: list[Step]) -> Workload:
    kept = any(step.kept for step in steps)
    http = "\n".join(step.http for step in steps) + ("\nrequest_history @DIR@/history;" if kept else "")
    servers = "\n".join(block(step, kept) for step in steps)
    return Workload("steps", {}, warm, "location / { return 200; }", http, servers=servers)


def counts(lab: Counting, subject: Subject, steps: list[Step], requests: int) -> dict[str, float]:
    """Instructions a request, by step."""
    found: dict[str, float] = {}
    if subject.name == "nginx":
        steps = [step for step in steps if not step.own]
    with running(lab, site(steps), under_valgrind(subject)) as (server, pid):
        for number, step in enumerate(steps, 1):
            request = lab.request(step.path, host=host(step), fields=step.fields)
            lab.asked = request, ["-s", step.status]
            for command, then in (("instrumentation on", 100), ("zero", requests), (f"dump {number}", 0)):
                subprocess.run(["vgdb", f"--pid={pid}", *command.split()], check=True, capture_output=True)
                if then:
                    lab.ask(server, then)
            profile = lab.folder / f"callgrind-{subject.name}-{number}"
            shutil.copy(Path(server.folder / f"callgrind.out.{pid}.{number}"), profile)
            # without Trio's rounds between the lane's turns, which a busy machine multiplies under valgrind
            found[step.name] = in_turns(profile, requests) or by_function(profile, requests, False)[0]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="NAME,…", help="these steps (a part of the name is enough)")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--gateway", default=default_gateway(), help="its command (%(default)s)")
    parser.add_argument("--nginx", default="nginx", help='its command (%(default)s); "" for none')
    options = parser.parse_args()
    wanted = [word for word in options.only.split(",") if word]
    steps = [s for s in STEPS if s is STEPS[0] or not wanted or any(word in s.name for word in wanted)]
    lab = Counting(1.0)
    found: dict[str, dict[str, float]] = {}
    try:
        for name in ("nginx", "gateway"):
            command = getattr(options, name)
            if command:
                found[name] = counts(lab, Subject(name, tuple(shlex.split(command))), steps, options.requests)
    except Refused as why:
        sys.exit(str(why))
    finally:
        lab.close()
    print("| step | " + " | ".join(f"{name} | above nothing" for name in found) + " |")
    print("| --- |" + " ---: | ---: |" * len(found))
    for step in steps:
        cells = [
            f"{by[step.name]:,.0f} | {by[step.name] - by[STEPS[0].name]:+,.0f}" if step.name in by else "| "
            for by in found.values()
        ]
        print(f"| {step.name} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
