"""Fail where a sentence of the documentation, or of a message, has more than 25 words.

Usage: ``python scripts/check_language.py [FILE ...]``; without files, README, CHANGELOG, the other pages and `domain/messages`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT = 25
"""Words a sentence."""
MESSAGES = ROOT / "argo_jupyter_scheduler" / "domain" / "messages"

_CODE = re.compile(r"^(```|~~~).*?^\1[^\n]*$|<!--.*?-->", re.MULTILINE | re.DOTALL)
_PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+>]|\d+\.)\s)|\|(?:\s|$)|^#+ .*$|^---.*?^---$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_SENTENCE = re.compile(r"(?<=[.!?])[)\"*_]*\s+(?=[\"'(*_`\[]*[A-Z0-9`])")


def split_sentences(text: str) -> list[str]:
    """Return the sentences of Markdown text; a code span counts as one word."""
    text = _LINK.sub(r"\1", _CODE.sub("\n\n", text))
    text = re.sub(r"`[^`\n]*`", "`code`", text)
    paragraphs = (" ".join(paragraph.split()) for paragraph in _PARAGRAPH.split(text) if paragraph)
    return [sentence for paragraph in paragraphs for sentence in _SENTENCE.split(paragraph) if sentence]


def count_words(sentence: str) -> int:
    """Return the number of words; dashes and other marks that stand alone do not count."""
    return sum(any(character.isalnum() for character in word) for word in sentence.split())


def read_messages(path: Path) -> Iterator[str]:
    """Yield the texts of a Python file, without docstrings; each value in them counts as one word."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, (ast.Assign, ast.Return)) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def find_long_sentences(path: Path) -> list[str]:
    """Return the sentences of a file that are too long."""
    texts = read_messages(path) if path.suffix == ".py" else [path.read_text()]
    return [s for text in texts for s in split_sentences(text) if count_words(s) > LIMIT]


def main(names: list[str]) -> int:
    """Print what is too long; return 1 if there is any."""
    pages = [Path(name) for name in names] or [
        *ROOT.glob("*.md"),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted(MESSAGES.glob("*.py")),
    ]
    long = [(path, sentence) for path in pages for sentence in find_long_sentences(path)]
    for path, sentence in long:
        print(f"{path}: {count_words(sentence)} words: {sentence}")
    return 1 if long else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
