"""A reader of the documents: their sections, tables, code blocks and links. It knows as much Markdown as they use."""

import re
from dataclasses import dataclass

Row = dict[str, str]


@dataclass(frozen=True)
class Section:
    """The text between one heading and the next, of whatever level."""

    title: str
    body: str

    @property
    def rows(self) -> list[Row]:
        """The rows of all tables, each as a mapping from column name to text."""
        found: list[Row] = []
        header: list[str] = []
        for line in self.body.splitlines():
            if not line.startswith("|"):
                header = []
            elif not header:
                header = _cells(line)
            elif not re.fullmatch(r"[|\s:-]+", line):
                found.append(dict(zip(header, _cells(line), strict=True)))
        return found


def sections(text: str) -> list[Section]:
    """The sections in their order. Text before the first heading belongs to a section without a title."""
    parts = re.split(r"^#+ (.+)$", _without_code(text), flags=re.MULTILINE)[1:]
    return [Section(plain(title), body) for title, body in zip(parts[::2], parts[1::2], strict=True)]


def section(text: str, title: str) -> Section:
    """The one section of this title. Raises LookupError naming those there are."""
    found = [one for one in sections(text) if one.title == title]
    if len(found) != 1:
        raise LookupError(f"{len(found)} sections {title!r}; there are: {[one.title for one in sections(text)]}")
    return found[0]


def code_blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """The targets of all links."""
    return re.findall(r"\]\(([^)\s]+)\)", _without_code(text))


def anchors(text: str) -> set[str]:
    """The parts of a page that links may name: its titles in small letters, with `-` for spaces."""
    return {re.sub(r"[^\w\- ]", "", one.title.lower()).replace(" ", "-") for one in sections(text)}


def plain(text: str) -> str:
    """A cell or title without the backquotes of code."""
    return text.replace("`", "").strip()


def code(text: str) -> list[str]:
    """The texts between backquotes, single or double."""
    return [double.strip() or single for double, single in re.findall(r"``(.+?)``|`([^`]+)`", _without_code(text))]


def _cells(line: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
