"""brotli_static: the file of the same name with ".br", compressed beforehand, for clients that take Brotli."""

from __future__ import annotations

from gateway.modules.http.gzip_static import static_module

module = static_module("brotli_static", b".br", b"br")
