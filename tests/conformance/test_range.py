"""Ranges, If-Range and conditional requests, on files, with compression and with error pages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance.pair import get, pair
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

CONFIGURATION = r"""
types { text/html html; text/plain txt; }
server {
    listen 127.0.0.1:@PORT@; server_name localhost; root @SITE@/www;
    location /max0/ { max_ranges 0; alias @SITE@/www/; }
    location /max1/ { max_ranges 1; alias @SITE@/www/; }
    location /max3/ { max_ranges 3; alias @SITE@/www/; }
    location /gz/ { gzip on; gzip_types *; gzip_vary on; alias @SITE@/www/; }
    location /head/ { add_header X y; add_header Accept-Ranges none; alias @SITE@/www/; }
    location /ret/ { return 200 "0123456789"; }
    location /trail/ { add_header T t always; expires 1h; alias @SITE@/www/; }
    location /page/ { error_page 404 =200 /a.txt; error_page 416 /a.txt; alias @SITE@/www/; }
    location /page2/ { error_page 416 =200 /b.txt; alias @SITE@/www/; }
    location /pre/ { error_page 412 =200 /b.txt; alias @SITE@/www/; }
    location /noetag/ { etag off; alias @SITE@/www/; }
    location /before/ { if_modified_since before; alias @SITE@/www/; }
    location /off/ { if_modified_since off; alias @SITE@/www/; }
    location /etag/ { add_header ETag '"own"'; alias @SITE@/www/; }
    location /weak/ { add_header ETag 'W/"own"'; alias @SITE@/www/; }
    location /mod/ { add_header Last-Modified "Mon, 28 Sep 1970 06:00:00 GMT"; alias @SITE@/www/; }
    location /modnone/ { add_header Last-Modified ""; alias @SITE@/www/; }
    location /chunk/ { sendfile_max_chunk 4k; sendfile on; alias @SITE@/www/; }
}
"""

RANGES = (
    "0-", "0-0", "0-8", "5-5", "-1", "-5", "-100000", "99999-", "100000-", "100000-100001", "5-3", "-0", "0-99999",
    "0-100000000",
    "a-b", "1-a", "", "-", "--", "1", "1-2-3", "0-1,5-6", "0-1,1-2", "0-1, 5-6", "0-1 ,5-6", " 0-1", "0 - 1", "0-1 ",
    "0-1,", ",0-1",
    "-3,0-1", "5-6,0-1", "0-,1-", "0-99999,0-0", "0-1,200000-", "200000-,300000-", "0-0,0-0,0-0", "0-0,2-2,4-4,6-6",
    "18446744073709551616-", "9223372036854775807-", "0-9223372036854775806", "0-9223372036854775807",
    "0-18446744073709551616",
    "-9223372036854775807", "-18446744073709551616", "0-\t1", "0x1-2", "+1-2", "1-2;", "0-1,,5-6", "50-40,0-1",
    "-5,-3", "0-1,-0",
)  # fmt: skip

LAST_MODIFIED = "Sun, 13 Sep 2020 12:26:40 GMT"
EARLIER = "Sat, 12 Sep 2020 12:26:40 GMT"
LATER = "Mon, 14 Sep 2020 12:26:40 GMT"
DATES = (
    LAST_MODIFIED, EARLIER, LATER, "Sunday, 13-Sep-20 12:26:40 GMT", "Sun Sep 13 12:26:40 2020", "", "x", "0",
    "Sun, 13 Sep 2020 12:26:40 +0000", "Sun, 13 Sep 2020 12:26:40", "13 Sep 2020 12:26:40 GMT",
    "Sun, 13 sep 2020 12:26:40 GMT",
    "Sun, 31 Feb 2020 12:26:40 GMT", "Sun, 13 Sep 2020 24:26:40 GMT", "Sun, 13 Sep 20 12:26:40 GMT",
    "Fri, 13 Sep 2020 12:26:40 GMT",
    "Sun,13 Sep 2020 12:26:40 GMT", "Sun, 13 Sep 2020  12:26:40 GMT", "Sun, 3 Sep 2020 12:26:40 GMT",
    "Sun, 13 Sep 9999 12:26:40 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT", "Wed, 31 Dec 1969 23:59:59 GMT", "Sat Sep  5 12:26:40 2020",
    "Sun, 13 Sep 2020 12:26:60 GMT",
    "Mon, 28 Sep 1970 06:00:00 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
)  # fmt: skip


def etags(size: int) -> tuple[str, ...]:
    own = f'"5f5e1000-{size:x}"'
    return (
        own, f"W/{own}", '"x"', "*", "", "x", f'"x", {own}', f'{own},"x"', f"{own} ,x", f'"x",{own}x', f"{own}x",
        f"w/{own}",
        f"W/{own}, {own}", '"', f"*, {own}", '"own"', 'W/"own"', own.strip('"'), f"  {own}", f"x {own}", f"x,{own}",
    )  # fmt: skip


def make_site(root: Path) -> None:
    www = root / "www"
    www.mkdir()
    for name, content in {
        "a.txt": b"".join(b"%05d" % n for n in range(20_000)), "b.txt": b"0123456789", "zero.txt": b"",
        "c.html": b"<p>" * 1000, "none": b"no type" * 100,
    }.items():  # fmt: skip
        (www / name).write_bytes(content)
        os.utime(www / name, (1_600_000_000, 1_600_000_000))


def test_ranges(tmp_path: Path) -> None:
    make_site(tmp_path)
    requests = [get(f"/{file}", f"Range: bytes={text}") for file in ("a.txt", "b.txt", "zero.txt") for text in RANGES]
    requests += [
        get(f"/{folder}/{file}", f"Range: bytes={text}", *more, method=method)
        for folder in ("max0", "max1", "max3", "gz", "head", "ret", "trail", "page", "page2", "chunk", "none")
        for file in ("b.txt", "c.html", "none", "a.txt")
        for text in ("0-3", "2-", "0-1,4-5", "0-0,2-2,4-4,6-6", "900000-", "-2")
        for more, method in (((), "GET"), (("Accept-Encoding: gzip",), "GET"), ((), "HEAD"))
    ]
    requests += [
        get("/a.txt", line)
        for line in (
            "Range: byte=0-1", "Range: Bytes=0-1", "Range: bytes 0-1", "Range: bytes =0-1", "Range: items=0-1",
            "Range: ", "Range: bytes",
            "Range: bytes= 0-1", "range: BYTES=0-1", "Range: bytes=0-1\r\nRange: bytes=2-3", "Request-Range: bytes=0-1",
        )
    ]  # fmt: skip
    requests += [get("/a.txt", "Range: bytes=0-1,4-5", version=version) for version in ("1.0", "1.1")]
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(requests, known="ranges")


def test_if_range(tmp_path: Path) -> None:
    make_site(tmp_path)
    requests = [
        get(f"/{folder}b.txt", "Range: bytes=0-3", f"If-Range: {value}")
        for folder in ("", "noetag/", "etag/", "weak/", "mod/", "modnone/", "gz/")
        for value in (*DATES, *etags(10))
    ]
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(requests)


def test_conditional_requests(tmp_path: Path) -> None:
    make_site(tmp_path)
    folders = ("", "noetag/", "before/", "off/", "etag/", "weak/", "mod/", "modnone/", "gz/", "pre/", "trail/")
    requests = [
        get(f"/{folder}b.txt", f"{field}: {value}")
        for folder in folders
        for field in ("If-Modified-Since", "If-Unmodified-Since")
        for value in DATES
    ]
    requests += [
        get(f"/{folder}b.txt", f"{field}: {value}")
        for folder in folders
        for field in ("If-Match", "If-None-Match")
        for value in etags(10)
    ]
    requests += [
        get(f"/{folder}", f"{one}: {first}", f"{two}: {second}", *more, method=method)
        for folder in ("b.txt", "gz/c.html", "ret/", "missing", "pre/b.txt")
        for one, firsts in (("If-Modified-Since", (LAST_MODIFIED, EARLIER)), ("If-Unmodified-Since",
        (LAST_MODIFIED, EARLIER)))
        for first in firsts
        for two, seconds in (("If-None-Match", etags(10)[:3]), ("If-Match", etags(10)[:3]))
        for second in seconds
        for more, method in (((), "GET"), ((), "HEAD"), (("Accept-Encoding: gzip",), "GET"), (("Range: bytes=0-1",),
        "GET"))
    ]
    requests += [get("/gz/c.html", "Accept-Encoding: gzip", f"{field}: {value}")
                 for field in ("If-Match", "If-None-Match") for value in etags(3000)]  # fmt: skip
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(requests)
