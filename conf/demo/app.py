"""The demo: a small Flask application that shows what reached it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Flask, Response, render_template_string, request

# The server has /static/ (see nginx.conf beside this file).
app = Flask(__name__, static_folder=None)

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>gateway demo</title>
<link rel="stylesheet" href="/static/style.css">
<h1>A Flask application in {{ server }}, behind gateway</h1>
<p>The browser spoke HTTP to gateway. gateway read <code>nginx.conf</code>, chose a location, and asked the application
over the uwsgi protocol. This page was made by the application; its style sheet came from gateway.</p>
<ul>
  <li><a href="/hello/you?a=1&amp;b=2">/hello/you?a=1&amp;b=2</a>: another path, with a query</li>
  <li><a href="/static/style.css">/static/style.css</a>: a file, served without the application</li>
  <li><a href="/stream">/stream</a>: an answer in pieces, one a second</li>
  <li><a href="/error">/error</a>: the application raises; its traceback is in the terminal</li>
  <li><a href="/static/nothing.css">/static/nothing.css</a>: no such file, and the error page for it</li>
</ul>
<form method="post" action="/post"><input name="text" value="some text"> <button>POST</button></form>

<h2>{{ request.method }} {{ request.full_path.rstrip("?") }}</h2>
{% if body %}<h3>Body</h3><pre>{{ body }}</pre>{% endif %}
<h3>Header fields</h3>
<table>{% for name, value in fields %}<tr><th>{{ name }}<td>{{ value }}{% endfor %}</table>
<h3>uwsgi variables</h3>
<table>{% for name, value in variables %}<tr><th>{{ name }}<td>{{ value }}{% endfor %}</table>
</html>
"""


@app.route("/", defaults={"path": ""})
@app.route("/<path:path>", methods=["GET", "POST"])
def show(path: str) -> str:
    body = request.get_data(as_text=True)
    variables = sorted(
        (name, value)
        for name, value in request.environ.items()
        if isinstance(value, str) and name.isupper() and not name.startswith("HTTP_")
    )
    server = "uWSGI" if "uwsgi.version" in request.environ else request.environ.get("SERVER_SOFTWARE", "its server")
    return render_template_string(PAGE, server=server, fields=list(request.headers), variables=variables, body=body)


@app.get("/stream")
def stream() -> Response:
    def pieces() -> Iterator[str]:
        for second in range(5):
            yield f"{second}\n"
            time.sleep(1)

    # Without this the server collects small pieces before it sends them (uwsgi_buffering).
    return Response(pieces(), mimetype="text/plain", headers={"X-Accel-Buffering": "no"})


@app.get("/error")
def error() -> str:
    raise RuntimeError("this is the demo's /error")
