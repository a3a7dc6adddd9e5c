"""Where gateway answers otherwise than the nginx that is installed to compare with (1.22), and why.

By test, then a pattern of requests with the reason. A pattern that excuses nothing any more fails its test.
"""

from __future__ import annotations

from typing import Final

DIFFERENCES: Final[dict[str, dict[bytes, str]]] = {
    "ranges": {
        rb" /page2?/.*bytes=900000-": "nginx has the fields of the file that was refused beside those of the "
        "error page: ETag and Content-Range twice",
        rb" /head/.*bytes=900000-": "an Accept-Ranges of add_header is not sent with 416",
    },
}
