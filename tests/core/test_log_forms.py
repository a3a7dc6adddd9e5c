"""Forms of the error log that nginx does not have."""

from __future__ import annotations

import datetime
import json
import time
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.core import log_forms
from gateway.core.logs import LOG, Log
from tests.engine import MemorySink, load_http, serving


def test_json_of_anything() -> None:
    line = log_forms.json_line("error", 7, 3, b'a "b"\n\xff', 2, [("client", b"10.0.0.1"), ("request", b"GET /\xfe")])
    assert line.count(b"\n") == 1
    shown = json.loads(line)
    time = shown.pop("time")
    assert time[10] == "T" and time[19] == "."
    assert shown == {
        "level": "error", "pid": 7, "connection": 3, "message": 'a "b"\n?', "errno": 2, "client": "10.0.0.1",
        "request": "GET /?",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("message", "number"),
    [
        (b"connect() failed (111: Connection refused) while connecting to upstream", 111),
        (b"upstream timed out (110: Connection timed out) while reading response header from upstream", 110),
        (b"upstream sent (3: things) of its own", None),
        (b"SSL_do_handshake() failed (SSL: error:0A000086) while SSL handshaking", None),
    ],
)
def test_the_number_in_the_middle_of_a_message(message: bytes, number: int | None) -> None:
    assert json.loads(log_forms.json_line("error", 1, 0, message, 0, ())).get("errno") == number


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns", "XXX-0:30"])
@pytest.mark.parametrize("moment", [0.0, 1700000000.999, 1719999999.25])
def test_time_is_that_of_datetime(monkeypatch: pytest.MonkeyPatch, zone: str, moment: float) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        monkeypatch.setattr(time, "time", lambda: moment)
        shown = json.loads(log_forms.json_line("error", 1, 0, b"", 0, []))
        local = datetime.datetime.fromtimestamp(moment, datetime.UTC).astimezone()
        assert shown["time"] == local.isoformat(timespec="milliseconds")
    finally:
        monkeypatch.undo()
        time.tzset()


class Formed(MemorySink):
    """A destination with a form of its own."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form


@pytest.mark.parametrize("form", ["json", "id", ""])
async def test_lines_of_requests(form: str) -> None:
    sink = Formed(form)
    conf = "server { listen 127.0.0.1:1; server_name a; root /nonexistent; add_header I $request_id always; }"
    async with serving(conf) as engine:
        log = engine.cycle.servers[0].root.core.error_log
        log.sinks = []
        log.add(sink)
        reply = await engine.get("/x", {"Referer": "http://r/"})
    id = (reply.header("i") or b"").decode()
    (line,) = [line for line in sink.lines if "open()" in line]
    if form == "json":
        shown = json.loads(line)
        assert shown["request_id"] == id
        assert (shown["level"], shown["errno"], shown["server"]) == ("error", 2, "a")
        assert shown["message"] == 'open() "/nonexistent/x" failed (2: No such file or directory)'
        assert (shown["request"], shown["referrer"]) == ("GET /x HTTP/1.1", "http://r/")
    elif form == "id":
        assert line.endswith(f', referrer: "http://r/", request_id: "{id}"')
    else:
        assert line.endswith('referrer: "http://r/"')


def test_the_directive(tmp_path: Path) -> None:
    log = Log(MemorySink())
    cycle = load_http(
        f"server {{ listen 127.0.0.1:1; error_log {tmp_path}/e warn format=json; error_log {tmp_path}/f format=id info;"
        "}",
        log=log,
    )
    own = cycle.servers[0].root.core.error_log
    assert [(getattr(sink, "form", None), sink.level) for sink in own.sinks] == [("id", 7), ("json", 5)]
    assert own.has_forms and not log.has_forms
    with pytest.raises(ConfigError, match='invalid format "xml"'):
        load_http(f"error_log {tmp_path}/e format=xml;")
    assert LOG is not None
