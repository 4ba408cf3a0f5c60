"""Text files of other people: encodings, tables and numbers, with errors that name file and place.

A file is read as UTF-8, with or without a byte-order mark, or as UTF-16 (UTF-32) with its mark. Nothing else is
guessed: bytes decode to something in most encodings, and a wrong guess gives wrong words without a sign of it. The one
exception is Latin-1 where a caller allows it, for formats whose own rule it is (`read_text`).
"""

import codecs
import csv
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_MARKS = (  # the longer first: that of UTF-32 begins as that of UTF-16 does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEAD = 4096  # bytes in which a file without text shows itself
_NO_LATIN1 = re.compile(rb"[\x80-\x9f]|[\xa1-\xff]{4}|\xff\xff")  # control characters; four accents in succession
_LONGEST_CELL = 1 << 24  # characters; some biographies of artists are long
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}


def read_text(path: Path | str, *, latin1: bool = False) -> str:
    """Return the text of a file, without its byte-order mark; line ends as they are.

    Parameters
    ----------
    path : str or Path
    latin1 : bool
        Read what is no UTF-8 as Latin-1. For TextGrids only: without a byte-order mark Praat writes ASCII or Latin-1.
        Bytes that Latin-1 text does not have (control characters, four accented letters in succession) are still
        refused.

    Returns
    -------
    text : str

    Raises
    ------
    ValueError
        Naming the file, the encoding it seems to have, the first byte that is wrong, and the way out.
    """
    path = Path(path)
    content = path.read_bytes()
    encoding = _encoding(path, content[:_HEAD])
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if latin1 and encoding == "utf-8" and _may_be_latin1(content, error):
            return content.decode("latin-1")
        raise ValueError(_explained(path, content, error)) from error


def read_start(path: Path | str) -> str:
    """Return how a text begins: its first 4,096 bytes, or "" where there is no file; what is no text is replaced.

    For files of which the first words alone matter, such as a README, whatever the rest is written in.
    """
    path = Path(path)
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    return head.decode(_marked(head) or "utf-8", "replace")


def cells(path: Path | str, delimiter: str | None = ",") -> Iterator[list[str]]:
    r"""Yield the cells of each line of a table, as lists of str; a blank line is an empty list.

    Parameters
    ----------
    path : str or Path
        Encodings as in `read_text`; cells may be in double quotes. The file is read line by line.
    delimiter : str or None
        ``","`` or ``"\t"``; None: that of ``,``, ``;`` and the tab that the first line has most of (spreadsheets in
        languages with decimal commas write semicolons).

    Raises
    ------
    ValueError
        Naming the file and the line.
    """
    path = Path(path)
    with open(path, "rb") as file:
        encoding = _encoding(path, file.read(_HEAD))
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        with open(path, newline="", encoding=encoding) as file:
            if delimiter is None:
                first = file.readline()
                delimiter = max(_DELIMITERS, key=first.count)
                file.seek(0)
            table = csv.reader(file, delimiter=delimiter, strict=True)
            for row in table:
                yield row if any(cell.strip() for cell in row) else []
    except UnicodeDecodeError:
        content = path.read_bytes()  # to count its bytes: a stream says where in its buffer it was
        try:
            content.decode(encoding)
        except UnicodeDecodeError as error:
            raise ValueError(_explained(path, content, error)) from error
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {table.line_num} is no row of a table ({error}): is a quotation mark not closed?"
        ) from error
    finally:
        csv.field_size_limit(before)


def read_cells(path: Path | str, delimiter: str | None = ",") -> list[list[str]]:
    """Return the lines of `cells` as a list, blank ones at its end left out."""
    rows = list(cells(path, delimiter))
    while rows and not rows[-1]:
        rows.pop()
    return rows


def read_table(path: Path | str, columns: Sequence[str], delimiter: str | None = ",") -> list[dict[str, str]]:
    """Return the rows of a table whose first line names its columns, blank lines left out.

    Parameters
    ----------
    path : str or Path
    columns : sequence of str
        Those that there must be.
    delimiter : str or None
        As in `cells`.

    Returns
    -------
    rows : list of dict of str to str

    Raises
    ------
    ValueError
        Naming the file and the columns that it lacks, or the row that has more or fewer cells than the header.
    """
    lines = [line for line in read_cells(path, delimiter) if line]
    header = [name.strip() for name in lines[0]] if lines else []
    if absent := [name for name in columns if name not in header]:
        raise ValueError(
            f"{path} has the columns {', '.join(header)}, expected {', '.join(columns)}: {', '.join(absent)} "
            f"{'is' if len(absent) == 1 else 'are'} missing" + _other_delimiter(header)
        )
    if len(lines) == 1:
        raise ValueError(f"{path} has a header and no row, expected one row or more: was the file cut short?")
    rows = []
    for number, line in enumerate(lines[1:], 1):
        line = line[: len(header)] if not any(line[len(header) :]) else line  # spreadsheets write empty cells on
        if len(line) != len(header):
            what = "cells are missing; was the file cut short?" if len(line) < len(header) else "that is too many"
            raise ValueError(
                f"{path}, row {number} ({line}) has {len(line)} cells, expected {len(header)} as in the header: {what}"
            )
        rows.append(dict(zip(header, line)))
    return rows


def number(cell: object) -> float:
    """Return the number of a cell; what Python takes beside plain ones ("nan", "inf", "1_000") is refused.

    Raises
    ------
    ValueError
        Without the name of the file, which the caller knows.
    """
    text = str(cell).strip().strip("\"'")
    try:
        value = float(text)
        if not math.isfinite(value) or "_" in text:
            raise ValueError
    except ValueError:
        comma = ": write the decimal comma as a point" if re.fullmatch(r"[-+]?\d+,\d+", text) else ""
        raise ValueError(f"could not convert {cell!r} to a number{comma}") from None
    return value


def _marked(head: bytes) -> str | None:
    """Return the encoding that a byte-order mark tells, or None."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def _encoding(path: Path, head: bytes) -> str:
    """Return the encoding of a file by its first bytes, or say that they are no text."""
    encoding = _marked(head)
    if encoding is None and b"\0" in head:
        raise ValueError(
            f"{path} holds a zero byte (byte {head.index(0):,}), expected text as UTF-8: it is a binary file, or "
            "UTF-16 without its byte-order mark (iconv -f UTF-16LE -t UTF-8)"
        )
    return encoding or "utf-8"


def _may_be_latin1(content: bytes, error: UnicodeDecodeError) -> bool:
    """Whether bytes can be Latin-1 text; a file that is UTF-8 up to some byte is damaged UTF-8."""
    return content[: error.start].isascii() and _NO_LATIN1.search(content) is None


def _explained(path: Path, content: bytes, error: UnicodeDecodeError) -> str:
    """Return what is wrong with the encoding of a file, and the way out."""
    if error.reason in ("unexpected end of data", "truncated data"):
        return f"{path} ends inside of a character: it was cut short; fetch it again"
    if error.encoding.startswith(("utf-16", "utf-32")):
        return f"{path} has the byte-order mark of {error.encoding} and other bytes at {error.start:,}: it is damaged"
    if not content[: error.start].isascii():
        name = "in UTF-8 up to this byte and then in an unknown encoding"
        convert = "fetch it again"
    elif _NO_LATIN1.search(content) is None:
        name = "Latin-1 or an encoding like it"
        convert = "save it as UTF-8 (iconv -f LATIN1 -t UTF-8)"
    elif _is_shift_jis(content):
        name = "Shift-JIS"
        convert = "fetch it again, or convert it (iconv -f CP932 -t UTF-8)"
    else:
        name = "in an unknown encoding"
        convert = "save it as UTF-8 (of Windows: iconv -f CP1252 -t UTF-8)"
    return f"{path} is {name}, expected UTF-8 (byte {error.start:,}): {convert}"


def _is_shift_jis(content: bytes) -> bool:
    """Return whether bytes decode to kana or kanji: nearly all bytes decode to something."""
    try:
        text = content.decode("cp932")
    except UnicodeDecodeError:
        return False
    return re.search("[\u3041-\u30fa\u4e00-\u9fff]", text) is not None


def _other_delimiter(header: list[str]) -> str:
    """Return a hint if a header of one cell holds another delimiter."""
    found = [name for sign, name in _DELIMITERS.items() if len(header) == 1 and sign in header[0]]
    return f"; its columns are divided by another sign ({found[0]})" if found else ""
