"""A collector of OpenTelemetry spans for tests: gRPC's own server, which keeps what it is sent."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

from gateway.protocol import otlp

grpc: Any = pytest.importorskip("grpc")
service: Any = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")


class Collector:
    """`requests` and `fields` of what came; `answer` may raise, or say what is not taken."""

    def __init__(self, answer: Callable[[Any, Any], Any] | None = None) -> None:
        self.requests: list[Any] = []
        self.fields: list[dict[str, str]] = []
        self.peers: set[str] = set()
        self.port = 0
        self._answer = answer
        self._news = threading.Condition()

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def export(self, data: bytes, context: Any) -> bytes:
        request = service.ExportTraceServiceRequest.FromString(data)
        with self._news:
            self.requests.append(request)
            self.fields.append(dict(context.invocation_metadata()))
            self.peers.add(context.peer())
            self._news.notify_all()
        answer = service.ExportTraceServiceResponse()
        if self._answer is not None:
            self._answer(context, answer)
        return bytes(answer.SerializeToString())

    def wait(self, condition: Callable[[Collector], bool], seconds: float = 30) -> None:
        """Until it holds; for a thread."""
        with self._news:
            assert self._news.wait_for(lambda: condition(self), seconds), (len(self.requests), len(self.spans))

    @contextlib.contextmanager
    def serving(self, port: int = 0, tls: tuple[bytes, bytes] | None = None) -> Iterator[Collector]:
        """`tls`: a key and its certificates, as PEM."""
        server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
        method = grpc.unary_unary_rpc_method_handler(self.export)
        name = otlp.EXPORT.decode().split("/")
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name[1], {name[2]: method}),))
        address = f"127.0.0.1:{port}"
        if tls is None:
            self.port = server.add_insecure_port(address)
        else:
            self.port = server.add_secure_port(address, grpc.ssl_server_credentials([tls]))
        server.start()
        try:
            yield self
        finally:
            server.stop(0).wait(30)
