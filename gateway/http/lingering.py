"""Lingering close: our side is shut, and what the client still sends is read and dropped for a while.

Closed at once, with bytes of the client unread, its side would see a reset that may overtake our answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.http.client import Client
    from gateway.http.settings import EngineSettings


class Lingering:
    """Takes the stream of a connection over, until the client is done or `lingering_time` is; closes it then."""

    def __init__(self, connection: Client, core: EngineSettings) -> None:
        self.connection = connection
        lane = connection.lane
        self.timeout = core.lingering_timeout
        self.until = lane.fresh() + core.lingering_time
        stream = connection.stream
        stream.shutdown_write()
        stream.handler = self.on_event
        stream.on_deadline = connection.close
        self.on_event()

    def on_event(self) -> None:
        """Read and drop what is here. Each part that comes gives the client another `lingering_timeout`."""
        connection = self.connection
        stream = connection.stream
        now = connection.lane.fresh()
        try:
            while stream.readable and now < self.until:
                data = stream.recv()
                if data is None:
                    break
                if not data:
                    connection.close()
                    return
        except OSError:
            connection.close()
            return
        if now >= self.until:
            connection.close()
            return
        stream.set_deadline(min(now + self.timeout, self.until))
