"""An HTML page as a parser reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img"}


@dataclass
class Element:
    """A tag with its attributes and its own text, without that of elements inside."""

    name: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class HtmlPage(HTMLParser):
    """The elements of a page in their order. Fails where they are not well nested."""

    elements: list[Element] = field(default_factory=list)
    _open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(self.elements[-1])

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].text += data

    def named(self, name: str) -> list[Element]:
        """The elements with this tag."""
        return [element for element in self.elements if element.name == name]
