"""What a PDF file of Typst says: its number of pages, the titles of its bookmarks, and the text of its pages."""

from __future__ import annotations

import re
import zlib

STRING = rb"\((?:\\.|[^\\()]|\((?:\\.|[^\\()])*\))*\)|<[0-9A-F]*>"
"""In brackets, which may hold a pair of brackets, or in hexadecimal digits."""

ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class Pdf:
    """A PDF file without object streams, its text in fonts that map two bytes to letters."""

    def __init__(self, content: bytes) -> None:
        found = re.findall(rb"\n(\d+) 0 obj\n(.*?)\nendobj", content, re.DOTALL)
        self.objects = {int(number): body for number, body in found}
        self.pages = [body for body in self.objects.values() if b"/Type/Page/" in body]

    @property
    def titles(self) -> list[str]:
        """The bookmarks."""
        bodies = [body for body in self.objects.values() if b"/Dest" in body and b"/Title" in body]
        found = [re.search(rb"/Title(" + STRING + rb")", body, re.DOTALL) for body in bodies]
        return [_title(_string(match[1])) for match in found if match]

    @property
    def text(self) -> str:
        """The text of all pages in the order in which it was set, without any space."""
        return "".join("".join(map(self._page_text, self.pages)).replace("\u200b", "").split())

    def _page_text(self, page: bytes) -> str:
        fonts = dict(re.findall(rb"/(f\d+) (\d+) 0 R", self.objects[_reference(page, b"Resources")]))
        letters = {name: self._letters(self.objects[int(number)]) for name, number in fonts.items()}
        text, content = "", self._stream(_reference(page, b"Contents"))
        for font, shown in re.findall(rb"/(f\d+) [\d.]+ Tf [^\[(<]+(.*?)T[jJ]", content, re.DOTALL):
            codes = b"".join(map(_string, re.findall(STRING, shown, re.DOTALL)))
            text += "".join(letters[font].get(codes[n : n + 2], "") for n in range(0, len(codes), 2))
        return text

    def _letters(self, font: bytes) -> dict[bytes, str]:
        """What each code of a font means."""
        table = self._stream(_reference(font, b"ToUnicode")).decode()
        pairs = re.findall(r"^<([0-9A-F]{4})> <([0-9A-F]+)>$", table, re.MULTILINE)
        return {bytes.fromhex(code): bytes.fromhex(letters).decode("utf-16-be") for code, letters in pairs}

    def _stream(self, number: int) -> bytes:
        body = self.objects[number]
        return zlib.decompress(body[body.index(b"stream\n") + 7 : body.rindex(b"\nendstream")])


def _reference(body: bytes, key: bytes) -> int:
    match = re.search(rb"/" + key + rb" (\d+) 0 R", body)
    assert match
    return int(match[1])


def _string(written: bytes) -> bytes:
    """The bytes of a string."""

    def resolved(match: re.Match[bytes]) -> bytes:
        escape = match[1]
        return bytes([int(escape, 8)]) if escape.isdigit() else ESCAPES.get(escape, escape)

    if written.startswith(b"<"):
        return bytes.fromhex(written[1:-1].decode())
    return re.sub(rb"\\([0-7]{1,3}|.)", resolved, written[1:-1], flags=re.DOTALL)


def _title(text: bytes) -> str:
    return text.decode("utf-16") if text.startswith(b"\xfe\xff") else text.decode("latin-1")
