"""The connection to Argo's server, as traits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from traitlets import Bool, Float, HasTraits, TraitError, Unicode, default, validate

from argo_jupyter_scheduler.engines.argo.connection import Connection, Token, check_ui_url, make_url
from argo_jupyter_scheduler.engines.argo.pods.names import DNS_LABEL, LABEL_LENGTH


class ArgoTraits(HasTraits):
    """The connection to Argo's server, for `ArgoScheduler`. Defaults are the environment variables of Argo's own command."""

    argo_server = Unicode(
        config=True,
        help="""Address of Argo's server: `host`, `host:port`, or with `https://` or `http://`, such as `argo-server.argo:2746`.
        Without a scheme it is https, or http if the environment variable ARGO_SECURE is `false`. Without a port it is the scheme's
        own. Default: ARGO_SERVER. Empty: no Argo, notebooks run on this machine.""",
    )
    argo_base_href = Unicode(
        config=True,
        help="""Path below which Argo's server is, such as `/argo/`. Default: ARGO_BASE_HREF, else `/`.""",
    )
    argo_namespace = Unicode(
        config=True,
        help="""Kubernetes namespace of the workflows. Default: ARGO_NAMESPACE. Empty: the namespace of this server's pod, or
        `dev` outside a pod.""",
    )
    argo_token = Unicode(
        help="Token for Argo's server, with or without `Bearer`; only from the environment variable ARGO_TOKEN.",
    )
    argo_token_file = Unicode(
        config=True,
        help="""File with the token for Argo's server, such as a projected service account token. It is read for each call, so a
        renewed token is used at once. Default: ARGO_TOKEN_FILE. Empty: the token comes from the environment variable ARGO_TOKEN,
        else from the service account of this server's pod.""",
    )
    argo_ca_bundle = Unicode(
        config=True,
        help="""File, or OpenSSL folder, with the certificates of the authorities to trust for Argo's server. Default:
        REQUESTS_CA_BUNDLE or SSL_CERT_FILE. Empty: those of Python's certifi.""",
    )
    argo_verify_ssl = Bool(
        config=True,
        help="""Whether the certificate of Argo's server is verified. Set to `False` for testing only: the server is not verified,
        so the token could be sent to an attacker. Default: `True`, or `False` where the environment variable
        ARGO_INSECURE_SKIP_VERIFY is `true`.""",
    )
    argo_timeout = Float(
        8.0,
        min=0.1,
        config=True,
        help="Seconds for one call to Argo's server, all attempts together.",
    )
    argo_ui_url = Unicode(
        config=True,
        help="""Address of a run's page in Argo's user interface, as a browser reaches it, such as
        `https://argo.example.org/workflows/{namespace}/{workflow}`. Jobs link there. Empty: no links,
        since the address in `argo_server` is often one that only pods can reach.""",
    )
    service_account_path = Unicode(
        "/var/run/secrets/kubernetes.io/serviceaccount",
        config=True,
        help="""Folder in which Kubernetes mounts the service account of this server's pod: the files `token`, `namespace` and
        `ca.crt`. It is missing outside a pod, and in a pod without a service account.""",
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

    @validate("argo_ui_url")
    def _argo_ui_url_is_valid(self, proposal: Any) -> str:
        value = str(proposal.value).strip()
        try:
            check_ui_url(value)
        except ValueError as error:
            raise TraitError(
                f"c.ArgoScheduler.argo_ui_url is '{value}', which is not valid: {error}. Write it as "
                "'https://argo.example.org/workflows/{namespace}/{workflow}'."
            ) from error
        return value

    @validate("argo_server", "argo_namespace")
    def _without_space(self, proposal: Any) -> str:
        return str(proposal.value).strip()

    def connection(self) -> Connection:
        """Return the connection to Argo's server.

        Raises
        ------
        TraitError
            The server's address or the namespace is not valid.
        """
        try:
            url = make_url(self.argo_server, self.argo_base_href, os.environ.get("ARGO_SECURE") != "false")
        except ValueError as error:
            raise TraitError(
                f"c.ArgoScheduler.argo_server (or ARGO_SERVER) is '{self.argo_server}', which is not an address: {error}. "
                "Write it as 'argo-server.argo:2746' or 'https://example.org'."
            ) from error
        if self.argo_namespace and not DNS_LABEL.fullmatch(self.argo_namespace):
            raise TraitError(
                f"c.ArgoScheduler.argo_namespace (or ARGO_NAMESPACE) is '{self.argo_namespace}', which is not a namespace. Use up "
                f"to {LABEL_LENGTH} lower-case letters, digits and hyphens; begin and end with a letter or digit."
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
