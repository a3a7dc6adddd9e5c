"""gateway: nginx for Python people."""

__version__ = "0.1.0"
NGINX_VERSION = "1.31.5"  # the reference for behaviour

