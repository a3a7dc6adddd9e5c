"""random_index: one of a folder's files."""

from __future__ import annotations

from pathlib import Path

from tests.engine import serving

CONF = """
server {
    listen 127.0.0.1:80;
    root %s;
    location / { random_index on; }
    location /off/ { alias %s/; }
}
"""


async def test_one_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("first")
    (tmp_path / "b").write_text("second")
    (tmp_path / ".c").write_text("hidden")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").symlink_to("nowhere")
    async with serving(CONF % (tmp_path, tmp_path)) as engine:
        found = {(await engine.get("/")).body for _ in range(40)}
        assert found == {b"first", b"second"}
        assert (await engine.get("/folder/")).status == 403
        assert (await engine.get("/nothing/")).status == 404
        assert (await engine.get("/off/")).status == 403
        assert (await engine.request("PUT", "/", body=b"a")).status == 405
