from __future__ import annotations

import pytest

from tests.mail_engine import load_mail


@pytest.mark.parametrize("name", ["imap", "pop3", "smtp"])
def test_several_directives_add_up(name: str) -> None:
    cycle = load_mail(f"""
        auth_http 127.0.0.1:1; {name}_capabilities A B; {name}_capabilities C;
        server {{ listen 1; protocol {name}; }}
        server {{ listen 2; protocol {name}; {name}_capabilities D; }}
    """)
    (module,) = [module for module in cycle.modules if module.name == name]
    assert [server.confs[module].capabilities for server in cycle.servers] == [("A", "B", "C"), ("D",)]
