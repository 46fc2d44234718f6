"""The shape of a run's pod as traits, with KubeSpawner's names."""

from __future__ import annotations

import sys

from traitlets import Dict, HasTraits, List, Unicode, default


class PodTraits(HasTraits):
    """The pod's shape, for `ArgoScheduler`."""

    image = Unicode(
        config=True,
        help="""Image of the run's pods, such as `quay.io/jupyter/scipy-notebook:2025-10-20`. It must have this package. Empty:
        this server's own, from the environment variables JUPYTER_IMAGE or JUPYTER_IMAGE_SPEC.""",
    )
    environment = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        config=True,
        help="""Environment variables of the pods, such as `{"HOME": "/home/jovyan"}`. Empty: the image's own. No place for
        secrets: whoever may list workflows can read a manifest.""",
    )
    volumes = List(
        Dict(),
        config=True,
        help="""Volumes of the pods, as Kubernetes has them in a pod's specification, such as
        `[{"name": "home", "persistentVolumeClaim": {"claimName": "home-jovyan"}}]`. The staging area and the database must be
        on one of them. Empty: none.""",
    )
    volume_mounts = List(
        Dict(),
        config=True,
        help="""Where the volumes are mounted, as Kubernetes has it in a container, such as
        `[{"name": "home", "mountPath": "/home/jovyan"}]`. The paths must be those of the server. Empty: nowhere.""",
    )
    service_account = Unicode(
        config=True,
        help="""Kubernetes service account that runs the pods, such as `argo-workflow`. Empty: the one that Argo is configured
        with.""",
    )
    python_executable = Unicode(
        config=True,
        help="""Python of the pods that has this package. Empty: the path of the server's own, which is right where the image
        is the server's.""",
    )

    @default("image")
    def _default_image(self) -> str:
        import os

        return os.environ.get("JUPYTER_IMAGE") or os.environ.get("JUPYTER_IMAGE_SPEC") or ""

    @default("python_executable")
    def _default_python_executable(self) -> str:
        return sys.executable
