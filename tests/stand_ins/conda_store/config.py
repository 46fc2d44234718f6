"""A conda-store server with Nebari's naming, all that it has below $CONDA_STORE_STATE; builds nothing."""

import os

from conda_store_server.server.auth import DummyAuthentication
from conda_store_server.storage import LocalStorage

state = os.environ["CONDA_STORE_STATE"]
c = get_config()  # type: ignore[name-defined]  # noqa: F821 (traitlets gives it)
c.CondaStore.store_directory = f"{state}/home/conda"
c.CondaStore.environment_directory = f"{state}/home/conda/{{namespace}}/envs/{{namespace}}-{{name}}"
c.CondaStore.database_url = f"sqlite:///{state}/conda-store.sqlite"
c.CondaStore.storage_class = LocalStorage
c.LocalStorage.storage_path = f"{state}/storage"
c.CondaStoreServer.address = "127.0.0.1"
c.CondaStoreServer.port = int(os.environ["CONDA_STORE_PORT"])
c.CondaStoreServer.url_prefix = "/conda-store"
c.CondaStoreServer.enable_ui = False
c.CondaStoreServer.authentication_class = DummyAuthentication
c.AuthenticationBackend.secret = "for-tests-only-" * 4
c.AuthenticationBackend.predefined_tokens = {
    "admin-token": {"primary_namespace": "default", "role_bindings": {"*/*": ["admin"]}},
    "viewer-token": {"primary_namespace": "", "role_bindings": {"*/*": ["viewer"]}},
    "analyst-token": {
        "primary_namespace": "analyst",
        "role_bindings": {"analyst/*": ["admin"], "global/*": ["viewer"]},
    },
}
