"""Notebooks that fork daemons, ignore signals, close descriptors, delete their own folder, print without end, or fill memory."""

from __future__ import annotations

import pytest

from tests.faults.verdicts import Verdict, judge_run
from tests.faults.world import World
from tests.support.jobs import REAL_ARGO

FORK = """
import os, subprocess, sys
code = "import time, os; os.setsid(); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import time; time.sleep(600)
    os._exit(0)
"""
IGNORE = "import signal\nfor number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)"
CLOSE = "import os; os.closerange(0, 3)"
CLOSE_ALL = "import os; os.closerange(0, 1000)"
DELETE = "import os, shutil; shutil.rmtree(os.getcwd())"
REPLACE = "import os, shutil; path = os.getcwd(); shutil.rmtree(path); open(path, 'w').write('x')"
DAMAGE = """
import os, signal
os.chdir(".argo-jupyter-scheduler")
for name in os.listdir():
    os.remove(name)
    os.mkfifo(name)
os.mkdir("result.json")
os.kill(os.getppid(), signal.SIGKILL)
"""
PRINT = "for _ in range(2000): print('x' * 99_999)"
FILL = "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30)); a = bytearray(4 * 2**30)"
KILL = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
KILL_ALL = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"

NOTEBOOKS = {
    "forks daemons": (FORK, ""),
    "ignores signals": (IGNORE, ""),
    "closes its output": (CLOSE, ""),
    "closes all descriptors": (CLOSE_ALL, "kernel.*(died|ended|killed|stopped)|did not|Bad file"),
    "deletes its own folder": (DELETE, "folder in the staging area was deleted"),
    "replaces its own folder": (REPLACE, "folder in the staging area was deleted"),
    "replaces its run's files by pipes": (DAMAGE, "process ended|exit code 137"),
    "prints 200 MB": (PRINT, ""),
    "fills memory": (FILL, "MemoryError"),
    "kills its kernel": (KILL, "killed.*SIGKILL"),
    "kills its run": (KILL_ALL, "process ended|exit code 137"),
}


@pytest.mark.fault("a hostile notebook")
@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.parametrize("place", ["local", "argo", *REAL_ARGO], indirect=True)
def test_notebook(world: World, verdict: Verdict, name: str) -> None:
    code, told = NOTEBOOKS[name]
    job_id = world.create(code, "print('after')")
    row = world.settle(job_id, timeout=280)  # what prints 200 MB has much to convert
    judge_run(verdict, world, job_id, row, told=told)
