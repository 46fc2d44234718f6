"""Puts the pictures that a notebook shows into its outputs: attachments of cells, and files beside the notebook.

nbconvert fails on an attachment that is missing, or whose name has a blank or a letter that is not ASCII
(https://github.com/jupyter/nbconvert/issues/2143, https://github.com/jupyter/nbconvert/issues/2247; see
docs/upstream.md#nbconvert-attachments). It also refers to files that a
reader of the output does not have. So references are resolved here, before an exporter sees them. What cannot be shown becomes a
visible placeholder. Pictures on the web stay where they are, except in LaTeX, which cannot load them.
"""

from __future__ import annotations

import base64
import binascii
import html
import mimetypes
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from argo_jupyter_scheduler.domain import messages
from argo_jupyter_scheduler.domain.text import shorten
from argo_jupyter_scheduler.storage.folders import is_own_file

ATTACHMENT = "attachment:"

MAX_PICTURE_BYTES = 20_000_000
"""Size of a file beside the notebook that goes into an output."""

MAX_NAME_CHARACTERS = 100
"""Of a picture's name in a placeholder; an address can be long."""

PREFERRED_TYPES = ("image/svg+xml", "image/png", "image/jpeg")
"""Types of which an attachment's first is shown, as nbconvert chooses."""

LATEX_TYPES = {"image/png": "png", "image/jpeg": "jpg", "application/pdf": "pdf"}
"""The types that LaTeX can show, with the suffix by which it knows each."""

_ALT = r"(?:[^\[\]\\]|\\.|\[[^\[\]]{0,200}\]){0,1000}"
_TAG = r"""<img\b[^<>]{0,2000}?\ssrc\s*=\s*(?P<quote>["'])(?P<src>[^"'<>]{0,2000})(?P=quote)[^<>]{0,2000}>"""
_TARGET = r"data:[^()\s]*|(?:[^()\n\\]|\\.|\([^()\n]{0,200}\)){0,2000}"

_TOKEN = re.compile(
    rf"""
    (?P<code>
        ^[ ]{{0,3}}(?P<fence>`{{3,}}|~{{3,}}).*?(?:^[ ]{{0,3}}(?P=fence)[`~]*[ \t]*$|\Z)
        | (?<!`)(?P<ticks>`{{1,8}})(?!`).{{1,2000}}?(?<!`)(?P=ticks)(?!`)
    )
    | !\[(?P<alt>{_ALT})\](?:\((?P<target>{_TARGET})\)|\[(?P<label>[^\[\]]{{0,200}})\])?
    | {_TAG}
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)
"""A picture in Markdown, or code, in which there are none. What can be tried twice is bounded: users write these texts."""

_HTML_TAG = re.compile(_TAG, re.IGNORECASE)
_TITLE = re.compile(r"""\s(?:"[^"]*"|'[^']*'|\([^()]*\))\s*\Z""")
_DEFINITION = re.compile(r"^ {0,3}\[([^\[\]]{1,200})\]:[ \t]*(\S[^\n]{0,2000})$", re.MULTILINE)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_PUNCTUATION, _ESCAPED = re.compile(r"([!-/:-@\[-`{-~])"), r"\\\1"

Cell: TypeAlias = Any
"""A cell, an ``nbformat.NotebookNode``, which has no types."""


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes
    ----------
    mimetype
        Its type.
    content
        Its bytes.
    """

    mimetype: str
    content: bytes


Place: TypeAlias = Callable[[Picture], "str | None"]
"""Puts a picture where an output finds it; returns its address, or None where that output cannot show it."""


def place_inside(picture: Picture) -> str:
    """Put a picture into the text itself."""
    return f"data:{picture.mimetype};base64,{base64.b64encode(picture.content).decode()}"


def place_nowhere(picture: Picture) -> None:
    """Leave a picture out."""


class PlaceBeside:
    """Puts pictures beside a LaTeX document.

    Attributes
    ----------
    files
        Their contents by name, as nbconvert takes them in its resource ``outputs``.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def __call__(self, picture: Picture) -> str | None:
        """Put a picture beside the document, unless LaTeX cannot show it."""
        if picture.mimetype not in LATEX_TYPES:
            return None
        # Attachments of two cells may have the same name: JupyterLab calls each that is pasted `image.png`.
        name = f"picture-{len(self.files) + 1}.{LATEX_TYPES[picture.mimetype]}"
        self.files[name] = picture.content
        return name


def embed_pictures(notebook: Cell, folder: Path, place: Place) -> list[str]:
    """Resolve all references to pictures in a notebook, in place; its cells have no attachments afterwards.

    Parameters
    ----------
    notebook
        The notebook.
    folder
        Where files beside it are; nothing outside is read.
    place
        Puts a picture where the output finds it.

    Returns
    -------
    list of str
        The pictures that have a placeholder instead, for the run's log.
    """
    missing: list[str] = []
    for number, cell in enumerate(notebook.cells, 1):
        attachments = cell.pop("attachments", None)
        resolver = _Resolver(f"Cell {number}", _index_attachments(attachments), folder, place, missing)
        if cell.cell_type == "markdown":
            cell.source = resolver.resolve_markdown(cell.source)
        for output in cell.get("outputs") or ():
            data = output.get("data") or {}
            if isinstance(data.get("text/markdown"), str):
                data["text/markdown"] = resolver.resolve_markdown(data["text/markdown"])
            if isinstance(data.get("text/html"), str):
                data["text/html"] = resolver.resolve_html(data["text/html"])
    return missing


@dataclass
class _Resolver:
    """Resolves the references of one cell."""

    where: str
    attachments: Mapping[str, Mapping[str, object]]
    folder: Path
    place: Place
    missing: list[str]

    @property
    def shows_web(self) -> bool:
        """Whether the output can show pictures by their address."""
        return self.place is place_inside

    def resolve_markdown(self, text: str) -> str:
        if "![" not in text and "<img" not in text.lower():
            return text
        definitions = {label.casefold(): target for label, target in _DEFINITION.findall(text)}

        def replace(match: re.Match[str]) -> str:
            if match["code"]:
                return match[0]
            if match["src"] is not None:
                return self._replace_tag(match)
            target = match["target"]
            if target is None:
                target = definitions.get((match["label"] or match["alt"]).casefold())
            return match[0] if target is None else self._replace_image(match[0], match["alt"], target)

        return _TOKEN.sub(replace, text)

    def resolve_html(self, text: str) -> str:
        """Embed pictures in HTML that a cell displayed; what is missing stays as it is."""
        if "<img" not in text.lower():
            return text

        return _HTML_TAG.sub(lambda match: self._replace_tag(match, is_output=True), text)

    def _replace_image(self, whole: str, alt: str, target: str) -> str:
        address, title = _split_target(target)
        if not self._is_mine(address):
            return whole if self.shows_web else alt or address
        found = self._find(address)
        placed = self.place(found) if found else None
        if placed:
            return f"![{alt}]({placed}{title})"
        note = self._note_missing(address, is_missing=found is None)
        return f"*{_PUNCTUATION.sub(_ESCAPED, note)}*"

    def _replace_tag(self, match: re.Match[str], is_output: bool = False) -> str:
        whole, address = match[0], html.unescape(match["src"])
        if not self._is_mine(address) or not self.shows_web:  # LaTeX has no tags
            return whole
        found = self._find(address)
        placed = self.place(found) if found else None
        if placed:
            begin, end = (place - match.start() for place in match.span("src"))
            return f"{whole[:begin]}{placed}{whole[end:]}"
        return whole if is_output else f"<em>{html.escape(self._note_missing(address, is_missing=True))}</em>"

    def _note_missing(self, address: str, is_missing: bool) -> str:
        """Note that a picture has a placeholder; return the placeholder's text."""
        is_attachment = address.startswith(ATTACHMENT)
        address = address.partition(",")[0] if address.startswith("data:") else address
        name = shorten(unquote(address.removeprefix(ATTACHMENT)), MAX_NAME_CHARACTERS)
        self.missing.append(messages.notebooks.picture_missing(self.where, name, is_attachment, is_missing))
        return messages.notebooks.picture_placeholder(name)

    def _is_mine(self, address: str) -> bool:
        """Return whether an address is an attachment, or a file beside the notebook; for an output without web, also data."""
        if address.startswith(ATTACHMENT) or (not self.shows_web and address.startswith("data:")):
            return True
        try:
            parts = urlsplit(address)
        except ValueError:
            return False
        return bool(parts.path) and not (parts.scheme or parts.netloc or parts.path.startswith("/"))

    def _find(self, address: str) -> Picture | None:
        if address.startswith(ATTACHMENT):
            return self._find_attachment(address.removeprefix(ATTACHMENT))
        if address.startswith("data:"):
            kind, _, content = address.removeprefix("data:").partition(",")
            return _decode({kind.partition(";")[0]: content})
        for name in (unquote(urlsplit(address).path), unquote(address)):
            if picture := self._read(name):
                return picture
        return None

    def _find_attachment(self, name: str) -> Picture | None:
        for form in (name, _ESCAPE.sub(r"\1", name), html.unescape(name)):
            for key in (_normalize(form), _normalize(unquote(form))):
                if bundle := self.attachments.get(key):
                    return _decode(bundle)
        return None

    def _read(self, name: str) -> Picture | None:
        mimetype = mimetypes.guess_type(name)[0] or ""
        try:
            path = self.folder / name
            if not mimetype.startswith("image/") or not is_own_file(self.folder, name):
                return None
            if path.stat().st_size > MAX_PICTURE_BYTES:
                return None
            return Picture(mimetype, path.read_bytes())
        except (OSError, ValueError):  # ValueError: a NUL in the name
            return None


def _split_target(target: str) -> tuple[str, str]:
    """Return the address and the title, with its blank, of a Markdown link's target."""
    title = _TITLE.search(target)
    address = target[: title.start()] if title else target
    address = address.strip()
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1]
    return address, title[0].rstrip() if title else ""


def _index_attachments(attachments: object) -> dict[str, Mapping[str, object]]:
    """Return a cell's attachments under all forms of their names."""
    found: dict[str, Mapping[str, object]] = {}
    for name, bundle in attachments.items() if isinstance(attachments, Mapping) else ():
        if isinstance(bundle, Mapping):
            for form in (name, unquote(name)):
                found.setdefault(_normalize(form), bundle)
    return found


def _normalize(name: str) -> str:
    """Return a name in the one form in which macOS and others agree."""
    return unicodedata.normalize("NFC", name)


def _decode(bundle: Mapping[str, object]) -> Picture | None:
    """Return an attachment's picture; None if it is damaged."""
    ranked = sorted(
        bundle, key=lambda name: PREFERRED_TYPES.index(name) if name in PREFERRED_TYPES else len(bundle) + 3
    )
    for mimetype in ranked:
        value = bundle[mimetype]
        text = "".join(map(str, value)) if isinstance(value, list) else value
        if not isinstance(text, str) or not text.strip():
            continue
        if mimetype == "image/svg+xml" and text.lstrip().startswith("<"):
            return Picture(mimetype, text.encode())
        try:
            return Picture(mimetype, base64.b64decode("".join(text.split()), validate=True))
        except (binascii.Error, ValueError):
            continue
    return None
