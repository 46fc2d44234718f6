"""The tests; CONTRIBUTING.md says how each kind is run."""

from argo_jupyter_scheduler.domain.imports import skip_unneeded_imports

skip_unneeded_imports()  # before conftest.py imports Jupyter Server
