"""Put environments into conda-store's database: ``seed.py NAMESPACE/NAME…``; one with a `!` in front, its build is only queued."""

import os
import sys

from conda_store_server import api
from conda_store_server._internal import schema
from conda_store_server._internal.server.app import CondaStoreServer
from conda_store_server._internal.worker.build import set_build_completed

server = CondaStoreServer()
server.initialize(["--config", os.path.join(os.path.dirname(__file__), "config.py")])
with server.conda_store.get_db() as database:
    for argument in sys.argv[1:]:
        namespace, name = argument.lstrip("!").split("/")
        specification = schema.CondaSpecification(name=name, dependencies=["ipykernel"])
        namespace_id = api.ensure_namespace(database, namespace).id
        environment = api.ensure_environment(database, name=name, namespace_id=namespace_id)
        build = api.create_build(
            database,
            environment_id=environment.id,
            specification_id=api.ensure_specification(database, specification).id,
        )
        database.commit()
        if not argument.startswith("!"):
            set_build_completed(database, server.conda_store, build)
