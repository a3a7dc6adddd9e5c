"""zstd_static: the file of the same name with ".zst", compressed beforehand, for clients that take Zstandard."""

from __future__ import annotations

from gateway.modules.http.gzip_static import static_module

module = static_module("zstd_static", b".zst", b"zstd")
