"""Adds the pictures and pages outside this folder to the site. Links stay as GitHub needs them: relative to the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from mkdocs.structure.files import File, Files
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).parents[1]
PAGES = ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages of the repository that are pages of the site, too."""

SHIM, OWN_SHIM = "https://unpkg.com/iframe-worker/shim", "javascripts/iframe-worker.js"
"""The theme's script for the search without a server, and our copy: the site loads nothing from elsewhere."""


def on_files(files: Files, config: Any) -> Files:
    """Add the files."""
    for path in (*map(ROOT.joinpath, PAGES), *sorted((ROOT / "assets").glob("*.png"))):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Make links relative to the site: ``../assets/x.png`` of a page in ``docs``, ``docs/x.md`` of a page outside."""
    is_outside = page.file.src_uri in PAGES
    return markdown.replace("](docs/", "](") if is_outside else markdown.replace("](../", "](")


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Load the theme's script from the site, and give the REST API's frame a height that needs no script."""
    output = output.replace('width="100%"></iframe>', 'width="100%" height="800"></iframe>')
    return output.replace(SHIM, get_relative_url(OWN_SHIM, page.url))


def on_post_template(output_content: str, template_name: str, **_: Any) -> str:
    """Do the same for pages without a source, such as ``404.html``."""
    return output_content.replace(SHIM, OWN_SHIM) if template_name.endswith(".html") else output_content


def on_post_build(config: Any, **_: Any) -> None:
    """Write the REST API's description into the page that draws it: browsers do not fetch a file for a page that is a file."""
    description = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
    text = json.dumps(description).replace("</", "<\\/")
    for page in Path(config["site_dir"]).glob("swagger-*.html"):
        before, after = page.read_text(encoding="utf-8").split("\n        url,\n")
        html = f"{before}\n        spec: {text},\n{after}"
        page.write_text(html.replace("overflow:hidden;", ""), encoding="utf-8")
