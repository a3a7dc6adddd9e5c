"""The http_core settings of a location that the engine reads for each request.

A copy of the merged settings, made once at load: compiled, its fields are C values (settings.pxd), where reading an
attribute of a dataclass costs a look-up in its type each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway._fast.request_head import RequestHead

_MSIE6, _SAFARI = 1, 2  # bits of keepalive_disable


class EngineSettings:
    """Compiled with the types of settings.pxd: a field has its line there too."""

    def __init__(self, conf: Any, types: dict[bytes, bytes], default_type: bytes, plain_files: bool) -> None:
        self.types = types  # by the extension, in lower case
        self.default_type = default_type
        self.plain_files = plain_files  # neither open_file_cache nor disable_symlinks
        self.limit_except: Any = conf.limit_except
        self.alias: Any = conf.alias
        self.alias_length: int = conf.alias_length
        self.alias_path: bytes | None = conf.alias_path
        self.root: Any = conf.root
        self.root_path: bytes | None = conf.root_path
        self.error_pages: Any = conf.error_pages
        self.recursive_error_pages: bool = conf.recursive_error_pages
        self.satisfy_any: bool = conf.satisfy_any
        self.error_log: Any = conf.error_log
        self.internal: bool = conf.internal
        self.client_max_body_size: int = conf.client_max_body_size
        self.client_body_buffer_size: int = conf.client_body_buffer_size
        self.client_body_timeout: float = conf.client_body_timeout
        self.client_body_temp_path: Any = conf.client_body_temp_path
        self.client_body_in_file_only: int = conf.client_body_in_file_only
        self.send_timeout: float = conf.send_timeout
        self.limit_rate: Any = conf.limit_rate
        self.limit_rate_after: Any = conf.limit_rate_after
        self.keepalive_timeout: float = conf.keepalive_timeout
        self.keepalive_header: int = conf.keepalive_header
        self.keepalive_min_timeout: float = conf.keepalive_min_timeout
        self.keepalive_time: float = conf.keepalive_time
        self.keepalive_requests: int = conf.keepalive_requests
        self.keepalive_disable: int = conf.keepalive_disable
        self.lingering_close: int = conf.lingering_close
        self.lingering_time: float = conf.lingering_time
        self.lingering_timeout: float = conf.lingering_timeout
        self.reset_timedout_connection: bool = conf.reset_timedout_connection
        self.chunked_transfer_encoding: bool = conf.chunked_transfer_encoding
        self.absolute_redirect: bool = conf.absolute_redirect
        self.server_name_in_redirect: bool = conf.server_name_in_redirect
        self.port_in_redirect: bool = conf.port_in_redirect
        self.msie_padding: bool = conf.msie_padding
        self.msie_refresh: bool = conf.msie_refresh
        self.auth_delay: float = conf.auth_delay
        self.post_action: bytes | None = conf.post_action
        self.early_hints: Any = conf.early_hints
        self.etag: bool = conf.etag
        self.if_modified_since: str = conf.if_modified_since
        self.max_ranges: int = conf.max_ranges
        self.log_not_found: bool = conf.log_not_found
        self.log_subrequest: bool = conf.log_subrequest
        self.subrequest_output_buffer_size: int = conf.subrequest_output_buffer_size
        self.sendfile_max_chunk: int = conf.sendfile_max_chunk
        self.tcp_nodelay: bool = conf.tcp_nodelay
        self.resolver: Any = conf.resolver
        self.resolver_timeout: float = conf.resolver_timeout
        self.server_header: bytes = conf.server_header
        self.signature: bytes = conf.signature
        self.kept_head: Any = None  # of final_head.KeptHead, for HTTP/1
        self.kept_block: Any = None  # likewise, for HTTP/2

    def keepalive_disabled_for(self, method: bytes, head: RequestHead) -> bool:
        """The old browsers of keepalive_disable, told by their User-Agent."""
        old = self.keepalive_disable & _MSIE6 != 0 and method == b"POST"
        safari = self.keepalive_disable & _SAFARI != 0
        if not old and not safari:
            return False
        agent: bytes = head.user_agent or b""
        at = agent.find(b"MSIE ") + 5 if old else 0  # `in` makes an exception first, and lets it go: 2,000 instructions
        if at > 4:
            return agent[at : at + 1] in (b"4", b"5", b"6") and b"Opera" not in agent and b"SV1" not in agent
        if safari:
            return b"Safari/" in agent and b"Mac OS X" in agent and b"Chrome/" not in agent
        return False
