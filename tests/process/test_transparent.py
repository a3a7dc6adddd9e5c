"""`*_bind … transparent` in workers that are not root: they keep the one capability that it needs."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from tests.process.running import GATEWAY, Running, fetch, free_port, until

CAP_NET_RAW = 13
ELSEWHERE = "192.0.2.77"  # no address of this host


def capabilities(pid: int | str, which: str = "CapEff") -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith(which + ":"))


pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not capabilities("self") >> CAP_NET_RAW & 1, reason="only root can give it away"
)


@pytest.mark.parametrize("how", ["transparent", ""])
def test_workers_may_bind_any_address(tmp_path: Path, how: str) -> None:
    port = free_port()
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
    with Running(tmp_path, GATEWAY) as running:
        (tmp_path / "nginx.conf").write_text(
            f"""pid nginx.pid; error_log error.log info; user nobody {group};
            events {{ }}
            http {{ access_log off; server {{ listen 127.0.0.1:{port}; location / {{
                proxy_pass http://127.0.0.1:{free_port()}; proxy_bind {ELSEWHERE} {how}; proxy_connect_timeout 200ms;
            }} }} }}"""
        )
        running.start()
        (worker,) = until(lambda: running.workers, "the worker")
        until(lambda: Path(f"/proc/{worker}").stat().st_uid != 0, "the worker to change its user")
        answer = fetch(("127.0.0.1", port))
        if how:
            # the bind worked; what is sent from that address finds no way back
            assert "504 Gateway Time-out" in answer
            assert capabilities(worker) == capabilities(worker, "CapPrm") == 1 << CAP_NET_RAW
        else:
            assert "500 Internal Server Error" in answer
            assert running.logged(rf"bind\({ELSEWHERE}:0\) failed \(99")
            assert capabilities(worker) == 0
        running.end()
