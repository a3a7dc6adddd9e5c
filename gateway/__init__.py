"""gateway: nginx for Python people."""

import os
from typing import Final

__version__ = "0.1.0"
NGINX_VERSION = "1.31.5"  # the reference for behaviour

# GATEWAY_PURE=1: every compiled module that has a plain source runs from that source.
PURE: Final = os.environ.get("GATEWAY_PURE", "0") not in ("", "0")

if PURE:
    from gateway import pure

    pure.install()
else:
    from gateway import together

    together.install()
