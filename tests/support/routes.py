"""What a Jupyter server answers, by method and path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tornado.web import RequestHandler

from argo_jupyter_scheduler.jupyter.extension import PREFIX
from argo_jupyter_scheduler.jupyter.handlers import ROUTES

ID = "00000000-0000-4000-8000-000000000000"
"""An id that nothing has."""

OWN_ROUTES = [(f"{PREFIX}/{path}", handler) for path, handler in ROUTES]
"""The routes of this package, as Jupyter-Scheduler lists its own."""


def fill_ids(route: str, value: str = ID) -> str:
    """Return a path that a route's pattern matches, with a value in the place of each group."""
    path = re.sub(r"\((?:[^()]|\([^()]*\))*\)", lambda _: value, route)
    assert "(" not in path
    return path


def has_method(handler: type[RequestHandler], method: str) -> bool:
    """Return whether a handler answers a method."""
    return getattr(handler, method.lower()) is not getattr(RequestHandler, method.lower())


def list_requests(routes: Iterable[tuple[Any, ...]] = OWN_ROUTES, id_: str = ID) -> Iterator[tuple[str, str]]:
    """Return method and path of everything that these routes answer."""
    for route, handler, *_ in routes:
        for method in RequestHandler.SUPPORTED_METHODS:
            if has_method(handler, method):
                yield method, fill_ids(route, id_)
