from __future__ import annotations

from typing import Any

from gateway.stream.module import OK, SUCCESS, Contribution, Phase, StreamModule
from gateway.stream.plan import make_plan
from tests.stream_engine import load_stream


async def content(session: Any) -> int:
    return SUCCESS


def test_order_of_phases_and_modules() -> None:
    def access(session: Any) -> int:
        return OK

    def first(session: Any) -> None:
        return None

    def second(session: Any) -> None:
        return None

    def log(session: Any) -> None:
        return None

    one = StreamModule("one", plan=lambda conf, server: Contribution({Phase.ACCESS: access, Phase.POST_ACCEPT: first}))
    two = StreamModule("two", plan=lambda conf, server: Contribution({Phase.POST_ACCEPT: second, Phase.LOG: log}))
    three = StreamModule("three", plan=lambda conf, server: Contribution(content=content))
    server = load_stream("server { listen 127.0.0.1:7777; return hi; }").servers[0]
    server.content_by = three
    plan = make_plan(server, [one, two, three])
    assert [list(handlers) for handlers in plan.phases] == [[first, second], [], [access], [], []]
    assert plan.content is content
    assert list(plan.log_handlers) == [log]


def test_the_last_of_two_directives_makes_the_content() -> None:
    cycle = load_stream("""
        server { listen 127.0.0.1:1; return hi; proxy_pass 127.0.0.1:2; }
        server { listen 127.0.0.1:2; proxy_pass 127.0.0.1:2; return hi; }
    """)
    assert [server.content_by.name for server in cycle.servers] == ["stream_proxy", "stream_return"]
    assert all(server.plan.content is not None for server in cycle.servers)


def test_nobody_makes_the_content() -> None:
    assert load_stream("server { listen 127.0.0.1:1; }").servers[0].plan.content is None
