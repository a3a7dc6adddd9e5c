"""A site as tutorials end: TLS, an access log, gzip, five add_header, limit_req, a map, regex locations, try_files."""

from __future__ import annotations

import tls

# The rate is one that nobody reaches, so that no request is refused.
HTTP = """
    limit_req_zone $binary_remote_addr zone=site:1m rate=100000000r/s;
    log_format site '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                    '"$http_referer" "$http_user_agent" $request_time';
    map $uri $cached { default "no-cache"; ~^/static/ "max-age=31536000"; ~*\\.(css|js)$ "max-age=3600"; }
    gzip on;
    gzip_types text/css application/javascript;
    gzip_vary on;
"""
SERVER = (
    tls.SERVER
    + """
    access_log access.log site;
    add_header X-Frame-Options SAMEORIGIN;
    add_header X-Content-Type-Options nosniff;
    add_header Referrer-Policy same-origin;
    add_header Strict-Transport-Security "max-age=31536000" always;
    add_header Cache-Control $cached;
    location ~ /\\.(?!well-known) { deny all; }
    location ~* \\.(jpg|png|css|js)$ { expires 30d; }
    location ~ ^/api/v[0-9]+/ { return 404; }
    location / { limit_req zone=site burst=1000000 nodelay; @CONTENT@ }
"""
)


def serving(content: str) -> str:
    return SERVER.replace("@CONTENT@", content)


STATIC = serving("try_files $uri $uri/ =404;")
