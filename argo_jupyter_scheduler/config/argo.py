"""How Argo is reached, as traits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from traitlets import Bool, Float, HasTraits, TraitError, Unicode, default, validate

from argo_jupyter_scheduler.engines.argo.connection import Connection, Token, make_url
from argo_jupyter_scheduler.engines.argo.pods.names import DNS_LABEL, LABEL_LENGTH


class ArgoTraits(HasTraits):
    """The connection to Argo's server, for `ArgoScheduler`. Each defaults to the environment variable of Argo's own command."""

    argo_server = Unicode(
        config=True,
        help="""Address of Argo's server: `host`, `host:port`, or with `https://` or `http://`, such as `argo-server.argo:2746`.
        Where no scheme is given, https is meant, or http where the environment variable ARGO_SECURE is `false`; where no port is
        given, the scheme's own. Default: ARGO_SERVER. Empty: no Argo, notebooks run on this machine.""",
    )
    argo_base_href = Unicode(
        config=True,
        help="""Path under which Argo's server is found, such as `/argo/`. Default: ARGO_BASE_HREF, else `/`.""",
    )
    argo_namespace = Unicode(
        config=True,
        help="""Kubernetes namespace of the workflows. Default: ARGO_NAMESPACE. Empty: the namespace of this server's pod, or
        `dev` where it is in no pod.""",
    )
    argo_token = Unicode(
        help="Token for Argo's server, with or without `Bearer`; only from the environment variable ARGO_TOKEN.",
    )
    argo_token_file = Unicode(
        config=True,
        help="""File with the token for Argo's server, such as a projected service account token's. It is read at each call, so
        a token that is renewed there is used at once. Default: ARGO_TOKEN_FILE. Empty: the token is the environment variable
        ARGO_TOKEN's, else that of the service account of this server's pod.""",
    )
    argo_ca_bundle = Unicode(
        config=True,
        help="""File (or folder, as OpenSSL has them) with the certificates that Argo's server is checked against. Default:
        REQUESTS_CA_BUNDLE or SSL_CERT_FILE. Empty: those of Python's certifi.""",
    )
    argo_verify_ssl = Bool(
        config=True,
        help="""Whether the certificate of Argo's server is checked. `False` is for tries only: anybody could be answering, and
        gets the token. Default: `True`, or `False` where the environment variable ARGO_INSECURE_SKIP_VERIFY is `true`.""",
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
        return os.environ.get("ARGO_SERVER", "").strip()

    @default("argo_base_href")
    def _default_argo_base_href(self) -> str:
        return os.environ.get("ARGO_BASE_HREF", "/")

    @default("argo_namespace")
    def _default_argo_namespace(self) -> str:
        return os.environ.get("ARGO_NAMESPACE", "").strip()

    @default("argo_token")
    def _default_argo_token(self) -> str:
        return os.environ.get("ARGO_TOKEN", "")

    @default("argo_token_file")
    def _default_argo_token_file(self) -> str:
        return os.environ.get("ARGO_TOKEN_FILE", "")

    @default("argo_ca_bundle")
    def _default_argo_ca_bundle(self) -> str:
        return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or ""

    @default("argo_verify_ssl")
    def _default_argo_verify_ssl(self) -> bool:
        return os.environ.get("ARGO_INSECURE_SKIP_VERIFY") != "true"

    @validate("argo_server", "argo_namespace")
    def _without_space(self, proposal: Any) -> str:
        return str(proposal.value).strip()

    def connection(self) -> Connection:
        """Return how Argo is reached, as configured.

        Raises
        ------
        TraitError
            The server's address is none, or the namespace cannot be one.
        """
        try:
            url = make_url(self.argo_server, self.argo_base_href, os.environ.get("ARGO_SECURE") != "false")
        except ValueError as error:
            raise TraitError(
                f"c.ArgoScheduler.argo_server (or ARGO_SERVER) is '{self.argo_server}': {error}. "
                "It should be like 'argo-server.argo:2746' or 'https://example.org'."
            ) from error
        if self.argo_namespace and not DNS_LABEL.fullmatch(self.argo_namespace):
            raise TraitError(
                f"c.ArgoScheduler.argo_namespace (or ARGO_NAMESPACE) is '{self.argo_namespace}', which can be no namespace: it "
                f"must be up to {LABEL_LENGTH} lowercase letters, digits and hyphens, with no hyphen at its begin or end."
            )
        return Connection(
            url=url,
            namespace=self.argo_namespace or self._own_namespace() or "dev",
            token=self._token(),
            verify=(self.argo_ca_bundle or True) if self.argo_verify_ssl else False,
            timeout=self.argo_timeout,
        )

    def _own_namespace(self) -> str:
        try:
            return (Path(self.service_account_path) / "namespace").read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    def _token(self) -> Token:
        if self.argo_token_file:
            return Token(f"the file '{self.argo_token_file}'", file=self.argo_token_file)
        if self.argo_token.strip():
            return Token("the environment variable ARGO_TOKEN", value=self.argo_token)
        own = Path(self.service_account_path) / "token"
        return Token("this pod's service account", file=str(own)) if own.is_file() else Token()
