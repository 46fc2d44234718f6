"""Imports that this project's own processes can do without."""

import sys


def skip_unneeded_imports() -> None:
    """Let ``jsonschema``, which ``nbformat`` imports, do without its check of internationalized addresses (IRIs).

    No schema of a notebook or of Jupyter has one, and to compile their grammar takes longer than all other imports of a step:
    https://github.com/python-jsonschema/jsonschema/issues/1428, docs/upstream.md#jsonschema-imports. Call it in processes of this
    project only, never in a server, where others may need the check.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # None is Python's way to say "cannot be imported"
