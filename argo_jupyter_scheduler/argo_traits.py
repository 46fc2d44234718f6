"""How Argo is reached, as traits."""

from __future__ import annotations

import os

from traitlets import Bool, Float, HasTraits, Unicode, default

from argo_jupyter_scheduler.engines.connection import Connection


class ArgoTraits(HasTraits):
    """The connection to Argo's server, for `ArgoScheduler`. Each defaults to the environment variable that Nebari sets."""

    argo_server = Unicode(
        config=True,
        help="""Address of Argo's server, `host:port` or with `https://` or `http://`; https is meant where no scheme is given.
        Default: the environment variable ARGO_SERVER. Empty: no Argo, notebooks run on this machine.""",
    )
    argo_base_href = Unicode(
        config=True,
        help="""Path under which Argo's server is found, such as `/argo/`. Default: ARGO_BASE_HREF, else `/`.""",
    )
    argo_namespace = Unicode(
        config=True,
        help="""Kubernetes namespace of the workflows. Default: ARGO_NAMESPACE, else `dev`.""",
    )
    argo_token = Unicode(
        help="Token for Argo's server, with or without `Bearer`; only from the environment variable ARGO_TOKEN.",
    )
    argo_ca_bundle = Unicode(
        config=True,
        help="""File with the certificates that Argo's server is checked against. Default: REQUESTS_CA_BUNDLE or
        SSL_CERT_FILE, else those of Python's certifi.""",
    )
    argo_verify_ssl = Bool(
        True,
        config=True,
        help="Whether the certificate of Argo's server is checked. `False` is for tries only: anybody could be answering.",
    )
    argo_timeout = Float(
        8.0,
        min=0.1,
        config=True,
        help="Seconds after which a call to Argo's server is given up, all tries of it together.",
    )

    service_account_path = Unicode(
        "/var/run/secrets/kubernetes.io/serviceaccount",
        config=True,
        help="""Folder in which Kubernetes shows this server's pod its service account: the files `token`, `namespace` and
        `ca.crt`. Where it does not exist, the server is in no pod, or in one that has none.""",
    )

    @default("argo_server")
    def _default_argo_server(self) -> str:
        return os.environ.get("ARGO_SERVER", "")

    @default("argo_base_href")
    def _default_argo_base_href(self) -> str:
        return os.environ.get("ARGO_BASE_HREF", "/")

    @default("argo_namespace")
    def _default_argo_namespace(self) -> str:
        return os.environ.get("ARGO_NAMESPACE") or "dev"

    @default("argo_token")
    def _default_argo_token(self) -> str:
        return os.environ.get("ARGO_TOKEN", "")

    @default("argo_ca_bundle")
    def _default_argo_ca_bundle(self) -> str:
        return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or ""

    def connection(self) -> Connection:
        """Return how Argo is reached, as configured."""
        return Connection(
            server=self.argo_server,
            base_href=self.argo_base_href,
            namespace=self.argo_namespace,
            token=self.argo_token,
            verify=(self.argo_ca_bundle or True) if self.argo_verify_ssl else False,
            timeout=self.argo_timeout,
        )
