"""JupyterLab's *Create Job* dialog, run on Argo Workflows or on this machine.

Nothing is imported here: a step's process pays for what its step needs only.
"""

__version__ = "0.1.0"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Return where Jupyter Server finds this package's extension."""
    return [{"module": "argo_jupyter_scheduler.jupyter.extension"}]
