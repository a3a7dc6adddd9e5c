"""The directives and variables of each module of http, by which a configuration chooses among them.

Written by `python -m tests.module_words`. What is not here is found all the same, by reading with all modules.
"""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, str]] = {
    "ssl": (
        "ssl_alpn_protocol ssl_buffer_size ssl_certificate ssl_certificate_cache ssl_certificate_compression "
        "ssl_certificate_key ssl_cipher ssl_ciphers ssl_client_cert ssl_client_certificate ssl_client_escaped_cert "
        "ssl_client_fingerprint ssl_client_i_dn ssl_client_i_dn_legacy ssl_client_raw_cert ssl_client_s_dn "
        "ssl_client_s_dn_legacy ssl_client_serial ssl_client_sigalg ssl_client_v_end ssl_client_v_remain "
        "ssl_client_v_start ssl_client_verify ssl_conf_command ssl_crl ssl_curve ssl_curves ssl_dhparam "
        "ssl_early_data ssl_ecdh_curve ssl_ech_file ssl_ech_outer_server_name ssl_ech_status ssl_ocsp "
        "ssl_ocsp_cache ssl_ocsp_responder ssl_password_file ssl_prefer_server_ciphers ssl_protocol ssl_protocols "
        "ssl_reject_handshake ssl_server_name ssl_session_cache ssl_session_id ssl_session_reused "
        "ssl_session_ticket_key ssl_session_tickets ssl_session_timeout ssl_sigalg ssl_sigalgs ssl_stapling "
        "ssl_stapling_file ssl_stapling_responder ssl_stapling_verify ssl_trusted_certificate ssl_verify_client "
        "ssl_verify_depth"
    ),
    "v3": (
        "http3 http3_hq http3_max_concurrent_streams http3_stream_buffer_size quic_active_connection_id_limit "
        "quic_gso quic_host_key quic_retry"
    ),
    "acme": "acme_certificate acme_certificate_key acme_issuer acme_shared_zone",
    "geo": "geo",
    "geoip": (
        "geoip_area_code geoip_city geoip_city_continent_code geoip_city_country_code geoip_city_country_code3 "
        "geoip_city_country_name geoip_country geoip_country_code geoip_country_code3 geoip_country_name "
        "geoip_dma_code geoip_latitude geoip_longitude geoip_org geoip_postal_code geoip_proxy "
        "geoip_proxy_recursive geoip_region geoip_region_name"
    ),
    "map": "map",
    "split_clients": "split_clients",
    "keyval": "keyval keyval_zone",
    "referer": "invalid_referer valid_referers",
    "browser": "ancient_browser ancient_browser_value modern_browser modern_browser_value msie",
    "secure_link": "secure_link secure_link_expires secure_link_md5 secure_link_secret",
    "otel": (
        "otel_exporter otel_parent_id otel_parent_sampled otel_resource_attr otel_service_name otel_span_attr "
        "otel_span_id otel_span_name otel_trace otel_trace_context otel_trace_id"
    ),
    "headers_more_input": "more_clear_input_headers more_set_input_headers",
    "realip": "real_ip_header real_ip_recursive realip_remote_addr realip_remote_port set_real_ip_from",
    "limit_req": "limit_req limit_req_dry_run limit_req_log_level limit_req_status limit_req_zone",
    "limit_conn": "limit_conn limit_conn_dry_run limit_conn_log_level limit_conn_status limit_conn_zone",
    "zone_sync": "zone_sync_store",
    "access": "allow deny",
    "auth_basic": "auth_basic auth_basic_user_file",
    "auth_request": "auth_request auth_request_set",
    "stub_status": "connections_active connections_reading connections_waiting connections_writing stub_status",
    "status_zone": "status_zone",
    "api": "api",
    "metrics": "metrics",
    "dashboard": "dashboard",
    "try_files": "try_files",
    "mirror": "mirror mirror_request_body",
    "random_index": "random_index",
    "autoindex": "autoindex autoindex_exact_size autoindex_format autoindex_localtime",
    "dav": "create_full_put_path dav_access dav_methods min_delete_depth",
    "brotli_static": "brotli_static",
    "zstd_static": "zstd_static",
    "gzip_static": "gzip_static",
    "upstream_hash": "hash",
    "upstream_ip_hash": "ip_hash",
    "upstream_least_conn": "least_conn",
    "upstream_least_time": "least_time",
    "upstream_random": "random",
    "upstream_sticky": "sticky",
    "upstream_queue": "queue",
    "upstream_zone": "zone",
    "upstream_state": "state",
    "upstream_resolve": "resolver resolver_timeout",
    "upstream_keepalive": "keepalive keepalive_requests keepalive_time keepalive_timeout",
    "proxy": (
        "proxy_add_x_forwarded_for proxy_bind proxy_buffer_size proxy_buffering proxy_buffers "
        "proxy_busy_buffers_size proxy_cache proxy_cache_background_update proxy_cache_bypass "
        "proxy_cache_convert_head proxy_cache_key proxy_cache_lock proxy_cache_lock_age proxy_cache_lock_timeout "
        "proxy_cache_max_range_offset proxy_cache_methods proxy_cache_min_uses proxy_cache_path proxy_cache_purge "
        "proxy_cache_revalidate proxy_cache_use_stale proxy_cache_valid proxy_connect_timeout proxy_cookie_domain "
        "proxy_cookie_flags proxy_cookie_path proxy_force_ranges proxy_hide_header proxy_host proxy_http_version "
        "proxy_ignore_client_abort proxy_ignore_headers proxy_intercept_errors proxy_limit_rate "
        "proxy_max_temp_file_size proxy_method proxy_next_upstream proxy_next_upstream_timeout "
        "proxy_next_upstream_tries proxy_no_cache proxy_pass proxy_pass_header proxy_pass_request_body "
        "proxy_pass_request_headers proxy_pass_trailers proxy_port proxy_read_timeout proxy_redirect "
        "proxy_request_buffering proxy_send_timeout proxy_set_body proxy_set_header proxy_socket_keepalive "
        "proxy_socket_rcvbuf proxy_socket_sndbuf proxy_ssl_certificate proxy_ssl_certificate_cache "
        "proxy_ssl_certificate_key proxy_ssl_ciphers proxy_ssl_conf_command proxy_ssl_crl proxy_ssl_name "
        "proxy_ssl_password_file proxy_ssl_protocols proxy_ssl_server_name proxy_ssl_session_reuse "
        "proxy_ssl_trusted_certificate proxy_ssl_verify proxy_ssl_verify_depth proxy_store proxy_store_access "
        "proxy_temp_file_write_size proxy_temp_path proxy_unbuffered_types"
    ),
    "fastcgi": (
        "fastcgi_bind fastcgi_buffer_size fastcgi_buffering fastcgi_buffers fastcgi_busy_buffers_size fastcgi_cache "
        "fastcgi_cache_background_update fastcgi_cache_bypass fastcgi_cache_key fastcgi_cache_lock "
        "fastcgi_cache_lock_age fastcgi_cache_lock_timeout fastcgi_cache_max_range_offset fastcgi_cache_methods "
        "fastcgi_cache_min_uses fastcgi_cache_path fastcgi_cache_purge fastcgi_cache_revalidate "
        "fastcgi_cache_use_stale fastcgi_cache_valid fastcgi_catch_stderr fastcgi_connect_timeout "
        "fastcgi_force_ranges fastcgi_hide_header fastcgi_ignore_client_abort fastcgi_ignore_headers fastcgi_index "
        "fastcgi_intercept_errors fastcgi_keep_conn fastcgi_limit_rate fastcgi_max_temp_file_size "
        "fastcgi_next_upstream fastcgi_next_upstream_timeout fastcgi_next_upstream_tries fastcgi_no_cache "
        "fastcgi_param fastcgi_pass fastcgi_pass_header fastcgi_pass_request_body fastcgi_pass_request_headers "
        "fastcgi_path_info fastcgi_read_timeout fastcgi_request_buffering fastcgi_script_name fastcgi_send_timeout "
        "fastcgi_socket_keepalive fastcgi_socket_rcvbuf fastcgi_socket_sndbuf fastcgi_split_path_info fastcgi_store "
        "fastcgi_store_access fastcgi_temp_file_write_size fastcgi_temp_path fastcgi_unbuffered_types"
    ),
    "uwsgi": (
        "uwsgi_bind uwsgi_buffer_size uwsgi_buffering uwsgi_buffers uwsgi_busy_buffers_size uwsgi_cache "
        "uwsgi_cache_background_update uwsgi_cache_bypass uwsgi_cache_key uwsgi_cache_lock uwsgi_cache_lock_age "
        "uwsgi_cache_lock_timeout uwsgi_cache_max_range_offset uwsgi_cache_methods uwsgi_cache_min_uses "
        "uwsgi_cache_path uwsgi_cache_purge uwsgi_cache_revalidate uwsgi_cache_use_stale uwsgi_cache_valid "
        "uwsgi_connect_timeout uwsgi_force_ranges uwsgi_hide_header uwsgi_ignore_client_abort uwsgi_ignore_headers "
        "uwsgi_intercept_errors uwsgi_limit_rate uwsgi_max_temp_file_size uwsgi_modifier1 uwsgi_modifier2 "
        "uwsgi_next_upstream uwsgi_next_upstream_timeout uwsgi_next_upstream_tries uwsgi_no_cache uwsgi_param "
        "uwsgi_pass uwsgi_pass_header uwsgi_pass_request_body uwsgi_pass_request_headers uwsgi_read_timeout "
        "uwsgi_request_buffering uwsgi_send_timeout uwsgi_socket_keepalive uwsgi_socket_rcvbuf uwsgi_socket_sndbuf "
        "uwsgi_ssl_certificate uwsgi_ssl_certificate_cache uwsgi_ssl_certificate_key uwsgi_ssl_ciphers "
        "uwsgi_ssl_conf_command uwsgi_ssl_crl uwsgi_ssl_name uwsgi_ssl_password_file uwsgi_ssl_protocols "
        "uwsgi_ssl_server_name uwsgi_ssl_session_reuse uwsgi_ssl_trusted_certificate uwsgi_ssl_verify "
        "uwsgi_ssl_verify_depth uwsgi_store uwsgi_store_access uwsgi_string uwsgi_temp_file_write_size "
        "uwsgi_temp_path uwsgi_unbuffered_types"
    ),
    "scgi": (
        "scgi_bind scgi_buffer_size scgi_buffering scgi_buffers scgi_busy_buffers_size scgi_cache "
        "scgi_cache_background_update scgi_cache_bypass scgi_cache_key scgi_cache_lock scgi_cache_lock_age "
        "scgi_cache_lock_timeout scgi_cache_max_range_offset scgi_cache_methods scgi_cache_min_uses scgi_cache_path "
        "scgi_cache_purge scgi_cache_revalidate scgi_cache_use_stale scgi_cache_valid scgi_connect_timeout "
        "scgi_force_ranges scgi_hide_header scgi_ignore_client_abort scgi_ignore_headers scgi_intercept_errors "
        "scgi_limit_rate scgi_max_temp_file_size scgi_next_upstream scgi_next_upstream_timeout "
        "scgi_next_upstream_tries scgi_no_cache scgi_param scgi_pass scgi_pass_header scgi_pass_request_body "
        "scgi_pass_request_headers scgi_read_timeout scgi_request_buffering scgi_send_timeout scgi_socket_keepalive "
        "scgi_socket_rcvbuf scgi_socket_sndbuf scgi_store scgi_store_access scgi_temp_file_write_size "
        "scgi_temp_path scgi_unbuffered_types"
    ),
    "grpc": (
        "grpc_bind grpc_buffer_size grpc_connect_timeout grpc_hide_header grpc_ignore_headers grpc_intercept_errors "
        "grpc_next_upstream grpc_next_upstream_timeout grpc_next_upstream_tries grpc_pass grpc_pass_header "
        "grpc_read_timeout grpc_send_timeout grpc_set_header grpc_socket_keepalive grpc_socket_rcvbuf "
        "grpc_socket_sndbuf grpc_ssl_certificate grpc_ssl_certificate_cache grpc_ssl_certificate_key "
        "grpc_ssl_ciphers grpc_ssl_conf_command grpc_ssl_crl grpc_ssl_name grpc_ssl_password_file "
        "grpc_ssl_protocols grpc_ssl_server_name grpc_ssl_session_reuse grpc_ssl_trusted_certificate "
        "grpc_ssl_verify grpc_ssl_verify_depth"
    ),
    "tunnel": (
        "tunnel_bind tunnel_buffer_size tunnel_connect_timeout tunnel_next_upstream tunnel_next_upstream_timeout "
        "tunnel_next_upstream_tries tunnel_pass tunnel_read_timeout tunnel_send_timeout tunnel_socket_keepalive "
        "tunnel_socket_rcvbuf tunnel_socket_sndbuf"
    ),
    "memcached": (
        "memcached_bind memcached_buffer_size memcached_connect_timeout memcached_gzip_flag memcached_next_upstream "
        "memcached_next_upstream_timeout memcached_next_upstream_tries memcached_pass memcached_read_timeout "
        "memcached_send_timeout memcached_socket_keepalive"
    ),
    "empty_gif": "empty_gif",
    "flv": "flv",
    "mp4": "mp4 mp4_buffer_size mp4_max_buffer_size mp4_start_key_frame",
    "health_check": "body header health_check match require status",
    "request_history": "request_history request_location",
    "slice": "slice slice_range",
    "py": "py_access py_body_filter py_content py_header_filter py_import py_path py_set",
    "headers_more": "more_clear_headers more_set_headers",
    "userid": (
        "uid_got uid_reset uid_set userid userid_domain userid_expires userid_flags userid_mark userid_name "
        "userid_p3p userid_path userid_service"
    ),
    "gunzip": "gunzip gunzip_buffers",
    "addition": "add_after_body add_before_body addition_types",
    "sub": "sub_filter sub_filter_last_modified sub_filter_once sub_filter_types",
    "image_filter": (
        "image_filter image_filter_buffer image_filter_interlace image_filter_jpeg_quality image_filter_sharpen "
        "image_filter_transparency image_filter_webp_quality"
    ),
    "xslt_filter": (
        "xml_entities xml_external_entities xslt_last_modified xslt_param xslt_string_param xslt_stylesheet "
        "xslt_types"
    ),
    "charset": "charset charset_map charset_types override_charset source_charset",
    "ssi": (
        "date_gmt date_local ssi ssi_last_modified ssi_min_file_chunk ssi_silent_errors ssi_types ssi_value_length"
    ),
    "brotli": "brotli brotli_buffers brotli_comp_level brotli_min_length brotli_ratio brotli_types brotli_window",
    "zstd": "zstd zstd_buffers zstd_comp_level zstd_min_length zstd_ratio zstd_types",
    "gzip": (
        "gzip gzip_buffers gzip_comp_level gzip_disable gzip_hash gzip_http_version gzip_min_length gzip_proxied "
        "gzip_ratio gzip_types gzip_vary gzip_window"
    ),
}
