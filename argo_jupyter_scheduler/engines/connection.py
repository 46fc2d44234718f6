"""How Argo is reached."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Connection:
    """The address of Argo's server and what it asks for.

    Attributes
    ----------
    server
        ``host:port``, or with a scheme; https is meant where there is none.
    base_href
        The path under which it is found.
    namespace
        Where the workflows live.
    token
        With or without ``Bearer``.
    verify
        Whether its certificate is checked, or the file with the certificates to check it against.
    timeout
        Seconds for one call, all tries together.
    """

    server: str
    base_href: str
    namespace: str
    token: str = field(repr=False)
    verify: bool | str
    timeout: float

    @property
    def url(self) -> str:
        """The full address; ends with a slash, as hera's ``urljoin`` needs it."""
        server = self.server if "://" in self.server else f"https://{self.server}"
        path = self.base_href.strip("/")
        return f"{server.rstrip('/')}/{path}/" if path else f"{server.rstrip('/')}/"
