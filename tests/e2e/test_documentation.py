"""The page of messages, with its field for a pasted message."""

from __future__ import annotations

import html
import re
from pathlib import Path

from playwright import sync_api

DOCS = Path(__file__).parents[2] / "docs"
ENTRY = re.compile(r'^<a id="([a-z0-9-]+)"></a>\n\n### .*\n\n((?:> .+\n\n)+)', re.MULTILINE)
SAME_BEGINNING = {"not-executable"}
"""Its words are a part of another message's, which is found first."""


def read_quotes() -> list[tuple[str, str]]:
    """Return each message of the page after its anchor."""
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8").replace("\\", "")
    return [
        (anchor, quote) for anchor, quotes in ENTRY.findall(text) for quote in re.findall("> (.+)", quotes)
    ]


def draw_page() -> str:
    """Return the messages as the site draws them, as far as the script looks at them."""
    entries = "".join(
        f'<h3 id="{anchor}">{anchor}</h3><blockquote><p>{html.escape(quote)}</p></blockquote>'
        for anchor, quote in read_quotes()
    )
    script = (DOCS / "javascripts" / "find-message.js").read_text(encoding="utf-8")
    return f'<main><div id="find-message"></div>{entries}</main><script>{script}</script>'


def test_a_pasted_message_finds_its_entry(shared_browser: sync_api.Browser) -> None:
    page = shared_browser.new_page()
    page.set_content(draw_page())
    pasted = [
        (anchor, f"FAILED: {quote.replace('…', 'daily-report:6, 2 of 3')} (after 3 attempts)")
        for anchor, quote in read_quotes()
        if anchor not in SAME_BEGINNING
    ]
    assert len(pasted) > 200
    found = page.evaluate(
        "texts => texts.map(text => findEntries(text)[0]?.id)", [text for _, text in pasted]
    )
    assert list(zip(found, pasted, strict=True)) == [(anchor, (anchor, text)) for anchor, text in pasted]
    page.fill("#message", pasted[0][1])
    sync_api.expect(page.locator("#find-message a").first).to_have_attribute("href", f"#{pasted[0][0]}")
    page.fill("#message", "hello world")
    sync_api.expect(page.locator("#find-message li")).to_have_text(re.compile("Paste the whole message"))
    page.close()
