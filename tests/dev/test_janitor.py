from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# What a supervisor does: a janitor, a child in a group of its own, a file; then it goes on until it is ended.
PARENT = """
import subprocess, sys, time
from pathlib import Path
from gateway.dev.janitor import Janitor

janitor = Janitor()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], process_group=0)
janitor.watch(child.pid)
janitor.remove(Path(sys.argv[1]))
print(janitor.folder, child.pid, flush=True)
if sys.argv[2] == "close":
    child.kill()
    child.wait()
    janitor.forget(child.pid)
    janitor.close()
else:
    time.sleep(60)
"""


@pytest.mark.parametrize("way", ["close", "kill"])
def test_cleans_up(tmp_path: Path, way: str) -> None:
    file = tmp_path / "socket"
    file.write_text("")
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(file), way], stdout=subprocess.PIPE, text=True,
                              env=environment)  # fmt: skip
    assert parent.stdout
    folder, _, child = parent.stdout.readline().rpartition(" ")
    if way == "kill":
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 10
    while Path(folder).exists() or file.exists() or Path(f"/proc/{int(child)}").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
