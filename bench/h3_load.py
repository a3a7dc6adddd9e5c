#!/usr/bin/env python3
"""Load over HTTP/3: aioquic's client, which takes more CPU than what it asks; so only the server's CPU is of interest.

h3_load.py PORT PATH SECONDS CONNECTIONS STREAMS: so many connections, each with so many requests under way; with 0
streams, each connection asks once and is followed by another one. Prints {"requests": N}.
"""

from __future__ import annotations

import json
import os
import select
import socket
import ssl
import sys
import time
from typing import Any

from aioquic.h3.connection import H3Connection
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated

SETTINGS = QuicConfiguration(
    is_client=True,
    alpn_protocols=["h3"],
    verify_mode=ssl.CERT_NONE,
    server_name="localhost",
    max_data=1 << 30,
    max_stream_data=1 << 26,
)
NONE_MORE_S = 20.0  # for an answer


class Connection:
    def __init__(self, port: int, path: bytes) -> None:
        self.address = ("127.0.0.1", port)
        self.path = path
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.connect(self.address)
        self.quic: Any = QuicConnection(configuration=SETTINGS)
        self.quic.connect(self.address, now=time.monotonic())
        self.http: Any = H3Connection(self.quic)
        self.answered = 0
        self.begun = 0

    def ask(self) -> None:
        fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", self.path)]
        self.http.send_headers(self.quic.get_next_available_stream_id(), fields, end_stream=True)
        self.begun += 1

    def send(self) -> None:
        for data, _ in self.quic.datagrams_to_send(time.monotonic()):
            try:
                self.socket.send(data)
            except BlockingIOError:
                break  # as if it were lost

    def receive(self) -> None:
        while True:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                break
            self.quic.receive_datagram(data, self.address, time.monotonic())
        while (event := self.quic.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                sys.exit(f"the server ended a connection: {event.reason_phrase}")
            for found in self.http.handle_event(event):
                for name, value in getattr(found, "headers", ()):
                    if name == b":status" and value != b"200":
                        sys.exit(f"status {value.decode()}")
                self.answered += found.stream_ended

    def timer(self) -> None:
        due = self.quic.get_timer()
        if due is not None and due <= time.monotonic():
            self.quic.handle_timer(time.monotonic())

    def close(self) -> None:
        self.quic.close()
        self.send()
        self.socket.close()


def main() -> None:
    port, count, streams = int(sys.argv[1]), int(sys.argv[4]), int(sys.argv[5])
    path = os.fsencode(sys.argv[2])
    connections = [Connection(port, path) for _ in range(count)]
    end = time.monotonic() + float(sys.argv[3])
    requests, last = 0, time.monotonic()
    while True:
        now = time.monotonic()
        for each in connections:
            while now < end and each.begun - each.answered < (streams or 1) and (streams or not each.begun):
                each.ask()
            each.send()
        due = min((each.quic.get_timer() or now + 1 for each in connections), default=now)
        ready, _, _ = select.select([each.socket for each in connections], [], [], max(min(due - now, 0.1), 0))
        for index, each in enumerate(connections):
            before = each.answered
            if each.socket in ready:
                each.receive()
            each.timer()
            if each.answered > before:
                requests, last = requests + each.answered - before, now
                if not streams and now < end:
                    each.close()
                    connections[index] = Connection(port, path)
        if now >= end and all(each.answered == each.begun for each in connections):
            break
        if now - last > NONE_MORE_S:
            sys.exit("no answer any more")
    for each in connections:
        each.close()
    print(json.dumps({"requests": requests}))


if __name__ == "__main__":
    main()
