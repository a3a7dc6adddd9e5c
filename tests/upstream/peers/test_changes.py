"""What the event log is told of peers."""

from __future__ import annotations

from gateway._fast.peers import LEFT_ALONE
from gateway.core.event_log import the_events
from gateway.upstream.peers.changes import tell_change
from gateway.upstream.peers.peers import Choice, Outcome
from tests.upstream.recorded import group


def test_out_of_use_and_back() -> None:
    peers = group("1", "2")
    first = peers.peers[0]
    before = len(the_events().newest())
    for now, outcome in ((1000, Outcome.FAILED), (1011, Outcome.OK)):
        choice = Choice(peers)
        while choice.get(now) is not first:
            choice = Choice(peers)
        tell_change(choice.free(outcome, now), b"app", first, b"timed out")
    tell_change(0, b"app", first, b"")
    tell_change(LEFT_ALONE, b"app", first, b"")
    found = the_events().newest()
    assert len(found) == before + 2
    assert [(each["object"], each["level"], each["text"], each["cause"]) for each in found[:2]] == [
        ("app 127.0.0.1:80", "notice", "is back: it answered again", ""),
        ("app 127.0.0.1:80", "warn", "is left alone for 10 s after 1 failure", "timed out"),
    ]
