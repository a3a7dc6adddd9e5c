"""pebble, the authority that Let's Encrypt tests clients with, in a booted userland: it asks on ports 80 and 443."""

from __future__ import annotations

import json
from typing import Final

from userland import Userland

DIRECTORY: Final = "https://localhost:14000/dir"

# What it shows to who orders, and the root that it signs with.
TRUSTED: Final = "/root/pebble.pem"
ROOT_FILE: Final = "/root/root.pem"

_PEBBLE: Final = {
    "listenAddress": "127.0.0.1:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": TRUSTED,
    "privateKey": "/root/pebble.key",
    "httpPort": 80,
    "tlsPort": 443,
    "externalAccountBindingRequired": False,
}
_OWN_CERTIFICATE: Final = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost"
    f" -addext subjectAltName=DNS:localhost -keyout /root/pebble.key -out {TRUSTED}"
)
# Younger ones want a certificate for DNS over HTTPS, unless they are told not to.
_NAMES: Final = (
    "if pebble-challtestsrv -help 2>&1 | grep -q doh; then no_doh=-doh=; fi; exec pebble-challtestsrv $no_doh {own}"
)


def start(debian: Userland, name: str) -> None:
    """Names are all this machine for it, and `name` is for everybody."""
    debian.run(f"echo 127.0.0.1 {name} >>/etc/hosts")
    debian.run(_OWN_CERTIFICATE)
    debian.run(f"cat >/root/pebble.json <<'X'\n{json.dumps({'pebble': _PEBBLE})}\nX")
    own = "-http01= -https01= -tlsalpn01= -dns01 127.0.0.1:8053 -management 127.0.0.1:8055 -defaultIPv6 ''"
    debian.run(f"systemd-run -q --unit=names sh -c \"$(cat <<'X'\n{_NAMES.format(own=own)}\nX\n)\"")
    # It would wait before it asks, and refuse some nonces; both are for those who write clients.
    environment = "-E PEBBLE_VA_NOSLEEP=1 -E PEBBLE_WFE_NONCEREJECT=0 -E PEBBLE_AUTHZREUSE=0"
    serve = "pebble -config /root/pebble.json -dnsserver 127.0.0.1:8053"
    debian.run(f"systemd-run -q --unit=pebble {environment} {serve}")
    debian.until(f"curl -s --cacert {TRUSTED} {DIRECTORY}", "newOrder")
    debian.run(f"curl -s --cacert {TRUSTED} https://localhost:15000/roots/0 >{ROOT_FILE}")


def page(name: str, path: str = "/") -> str:
    """The command that shows https://NAME/ to who believes this authority."""
    return f"curl -s -m 10 --cacert {ROOT_FILE} --resolve {name}:443:127.0.0.1 https://{name}{path}"
