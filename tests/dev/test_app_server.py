from __future__ import annotations

from gateway.dev.app_server import shown_at_start, traceback_of

UWSGI = """\
*** Starting uWSGI 2.0.30 (64bit) on [Sun] ***
python threads support enabled
*** Operational MODE: single process ***
hello from the app
Traceback (most recent call last):
  File "/srv/bad.py", line 1, in <module>
    import nope
ModuleNotFoundError: No module named 'nope'
unable to load app 0 (mountpoint='') (callable not found or import error)
*** no app loaded. GAME OVER ***
""".splitlines()

GUNICORN = """\
[2026-01-01 00:00:00 +0000] [1] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/v/site-packages/gunicorn/arbiter.py", line 752, in spawn_worker
    worker.init_process()
    ~~~~~~~~~~~~~~~~~~~^^
  File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
  File "/srv/bad.py", line 1, in <module>
    import nope
ModuleNotFoundError: No module named 'nope'
[2026-01-01 00:00:00 +0000] [1] [INFO] Worker exiting (pid: 1)
Traceback (most recent call last):
  File "/srv/bad.py", line 1, in <module>
""".splitlines()

WANTED = """\
Traceback (most recent call last):
  File "/srv/bad.py", line 1, in <module>
    import nope
ModuleNotFoundError: No module named 'nope'"""


def test_traceback_of_uwsgi() -> None:
    assert traceback_of(UWSGI) == WANTED


def test_traceback_of_gunicorn_without_its_frames() -> None:
    assert traceback_of(GUNICORN) == WANTED


def test_syntax_error_without_a_frame() -> None:
    lines = ['  File "/srv/app.py", line 1', "    def f(:", "          ^", "SyntaxError: invalid syntax", "*** x"]
    assert traceback_of(lines) == "\n".join(lines[:-1])


def test_no_traceback_shows_the_end() -> None:
    assert traceback_of([str(n) for n in range(20)]) == "\n".join(str(n) for n in range(5, 20))


def test_shown_at_start() -> None:
    assert shown_at_start(["x", "*** Operational MODE: single process ***", "hello", "WSGI app 0 (mount"]) == ["hello"]
    assert shown_at_start(UWSGI) == []
