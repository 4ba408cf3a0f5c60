"""Text of other people's files: each encoding is read right or named with its byte; tables and numbers likewise."""

import csv
import json

import pytest
from naturalistic.intact import read_json
from naturalistic.text_files import cells, number, read_cells, read_start, read_table, read_text

WORDS = "näh, Füße; 雨 – “so”"
MARKED = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]
BOTH_ENDS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}


def written(folder, content, name="a.txt"):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", MARKED)
def test_what_a_byte_order_mark_tells_is_read(tmp_path, encoding):
    path = written(tmp_path, WORDS.encode(encoding))
    assert read_text(path) == WORDS and read_start(path) == WORDS
    assert read_cells(written(tmp_path, f"a,b\r\n1,{WORDS.split(',')[0]}\r\n".encode(encoding))) == [
        ["a", "b"],
        ["1", "näh"],
    ]


@pytest.mark.parametrize("encoding", BOTH_ENDS)
def test_utf16_of_both_ends(tmp_path, encoding):
    assert read_text(written(tmp_path, BOTH_ENDS[encoding] + WORDS.encode(encoding))) == WORDS


def test_latin1_where_it_is_allowed(tmp_path):
    path = written(tmp_path, "näh, Füße, þýða".encode("latin-1"))
    assert read_text(path, latin1=True) == "näh, Füße, þýða"
    with pytest.raises(ValueError, match=r"a\.txt is Latin-1 or .*, expected UTF-8 \(byte 1\): save it as UTF-8"):
        read_text(path)


NO_LATIN1 = {
    "Shift-JIS": ("雨が降る".encode("cp932"), r"is Shift-JIS, expected UTF-8 \(byte 0\): .*iconv -f CP932"),
    "Windows": (b"don\x92\x20", r"in an unknown encoding, expected UTF-8 \(byte 3\): .*iconv -f CP1252"),
    "Cyrillic": ("дождь".encode("cp1251"), "in an unknown encoding, expected UTF-8"),
    "EUC-JP": ("雨が降る".encode("euc-jp"), "expected UTF-8"),
    "damaged UTF-8": ("Füße ".encode() + b"\xe4h", r"in UTF-8 up to this byte .* \(byte 7\): fetch it again"),
    "cut in a character": ("Füße 雨".encode()[:-1], "ends inside of a character: it was cut short"),
    "cut in UTF-16": ("ab".encode("utf-16")[:-1], "ends inside of a character: it was cut short"),
    "UTF-16 without mark": ("ab".encode("utf-16-le"), r"holds a zero byte \(byte 1\).*iconv -f UTF-16LE"),
    "binary": (b"\x7fELF\x00\x01", "holds a zero byte"),
}


@pytest.mark.parametrize("content, message", NO_LATIN1.values(), ids=NO_LATIN1)
def test_no_wrong_guess(tmp_path, content, message):
    """Also where Latin-1 is allowed: nearly all bytes decode to something."""
    path = written(tmp_path, content)
    for read in (read_text, lambda p: read_text(p, latin1=True), read_cells, read_json):
        with pytest.raises(ValueError, match=message) as error:
            read(path)
        assert str(path) in str(error.value)


def test_the_beginning_of_a_text(tmp_path):
    assert read_start(tmp_path / "none") == ""
    assert read_start(written(tmp_path, b"MADE MINIATURE \xe4h" + bytes(9000))).startswith("MADE MINIATURE ")


def test_json(tmp_path):
    assert read_json(written(tmp_path, json.dumps({"a": "näh"}, ensure_ascii=False).encode("utf-8-sig"))) == {
        "a": "näh"
    }
    with pytest.raises(ValueError, match=r"a\.txt is not JSON: Expecting"):
        read_json(written(tmp_path, b"{'a': 1}"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_blank_lines_and_quotes(tmp_path, end):
    lines = ["on,text", "", '1,"a, ""b"""', " , ", "2,c", "", ",,", ""]
    path = written(tmp_path, end.join(lines).encode())
    assert read_cells(path) == [["on", "text"], [], ["1", 'a, "b"'], [], ["2", "c"]]
    assert read_table(path, ["on"]) == [{"on": "1", "text": 'a, "b"'}, {"on": "2", "text": "c"}]


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_sign_between_columns_is_seen(tmp_path, sign, encoding):
    path = written(tmp_path, f'a{sign}b\n1{sign}"x, y; z"\n'.encode(encoding))
    assert read_cells(path, None) == [["a", "b"], ["1", "x, y; z"]]


TABLES = {
    "nothing": ("", r"has the columns , expected on, off"),
    "a header alone": ("on,off\n\n", "has a header and no row"),
    "another column": ("on,of\n1,2\n", r"has the columns on, of, expected on, off: off is missing"),
    "another sign": ("on;off\n1;2\n", r"divided by another sign \(semicolon\)"),
    "a short row": ("on,off\n1,2\n3\n", r"row 2 \(\['3'\]\) has 1 cells, expected 2.*cells are missing"),
    "a long row": ("on,off\n1,2,3\n", "row 1 .* has 3 cells, expected 2"),
    "an open quote": ('on,off\n1,"2\n3,4\n', r"line 3 is no row of a table .*quotation mark"),
}


@pytest.mark.parametrize("text, message", TABLES.values(), ids=TABLES)
def test_broken_tables(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read_table(written(tmp_path, text.encode()), ["on", "off"])
    assert "a.txt" in str(error.value)


def test_cells_that_spreadsheets_write_on_are_no_cells_of_a_row(tmp_path):
    assert read_table(written(tmp_path, b"on,off\n1,2,,\n"), ["on", "off"]) == [{"on": "1", "off": "2"}]


def test_a_long_cell_leaves_the_limit_of_others_alone(tmp_path):
    limit = csv.field_size_limit()
    path = written(tmp_path, b"a\n" + b"x" * 300_000 + b"\n")
    assert [len(row[0]) for row in cells(path)] == [1, 300_000] and csv.field_size_limit() == limit


@pytest.mark.parametrize("text, value", [("1.5", 1.5), (" -2e3 ", -2000), ('"3"', 3), (".5", 0.5)])
def test_numbers(text, value):
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "n/a", "nan", "inf", "1_000", "1,5", "1.2.3", None])
def test_what_is_no_number(text):
    with pytest.raises(ValueError, match="could not convert .* to a number" + (".*comma" if text == "1,5" else "")):
        number(text)
