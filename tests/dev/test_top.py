from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.dev.top import KEYS, main
from tests.dev.test_top_source import answering
from tests.dev.test_top_view import data
from tests.ports import free_port
from tests.typed import ROOT, Desk

GW = {"/gw/data.json": (200, data(30))}


def test_once(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(GW) as url:
        assert main([f"{url}/gw/", "--once", "--interval", "0.05"]) == 0
        assert "127.0.0.1:8000  app" in capsys.readouterr().out
        assert main([f"{url}/gw/", "--once", "--interval", "0.05", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["server"]["requests"] == 30
        assert main([f"{url}/gw/", "--once", "--interval", "0.05", "--csv"]) == 0
        assert capsys.readouterr().out.startswith("table,name,figure,value\nserver,,build,gateway-1\n")


def test_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"http://127.0.0.1:{free_port()}/", "--once"]) == 1
    assert capsys.readouterr().err.startswith("gateway top: http://127.0.0.1:")
    with pytest.raises(SystemExit) as end:
        main(["--interval", "0"])
    assert end.value.code == 2


def test_a_pipe_gets_a_line_each_time_and_may_close() -> None:
    with answering(GW) as url:
        command = [sys.executable, "-m", "gateway", "top", f"{url}/gw/", "--json", "--interval", "0.05"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stderr is not None
            for _ in range(3):
                assert json.loads(process.stdout.readline())["server"]["requests"] == 30
            process.stdout.close()
            assert process.wait(30) == 141
            assert process.stderr.read() == ""


def test_the_screen_and_its_keys(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    answers = dict(GW)
    with answering(answers) as url, desk.going(f"gateway top {url}/gw/ --interval 0.2") as top:
        top.until("127.0.0.1:8000  app")
        top.press("?")
        top.until(KEYS.replace("?", r"\?").replace("+", r"\+"))
        top.press("f")
        top.press("?")
        top.until("each 0.2 s, what fails alone")
        top.press("+")
        top.until("each 0.5 s")
        top.press("-")
        answers.clear()
        top.until("/gw/data.json answers 404")
        top.press("q")
        assert top.ended() == 0
        assert top.said.startswith("\x1b[?1049h") and top.said.endswith("\x1b[?1049l")


def test_sigterm_gives_the_screen_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with answering(GW) as url, desk.going(f"gateway top {url}/gw/") as top:
        top.until("q quit")
        top.process.terminate()
        assert top.ended() == 0
        assert top.said.endswith("\x1b[?25h\x1b[?1049l")
