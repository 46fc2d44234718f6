"""What a process of this project does without."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from argo_jupyter_scheduler.domain.imports import skip_unneeded_imports
skip_unneeded_imports()
import nbformat
nbformat.validate(nbformat.v4.new_notebook())
print("lark" in sys.modules)
"""


def test_a_notebook_is_validated_without_a_grammar() -> None:
    answer = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
