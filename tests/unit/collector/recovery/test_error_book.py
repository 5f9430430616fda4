"""The error book."""

import json

import pytest

from tickflag.services.collector.recovery.error_book import STACK_CHARACTERS, ErrorBook


def test_the_same_error_is_kept_once() -> None:
    """The entry has count, first and last time, and the first stack."""
    book = ErrorBook()
    book.add("rsi", "raise", "boom", 10)
    book.add("rsi", "raise", "boom", 20, "the stack")
    book.add("rsi", "raise", "boom", 30, "another")
    (fault,) = book.errors()
    assert (fault.count, fault.first_ms, fault.last_ms, fault.stack) == (3, 10, 30, "the stack")


def test_errors_differ_by_trader_kind_and_text() -> None:
    """The latest error comes first; the errors of one trader can be selected."""
    book = ErrorBook()
    for trader, kind, text in (("a", "raise", "x"), ("b", "raise", "x"), ("a", "exit", "x"), ("a", "raise", "y")):
        book.add(trader, kind, text, 1)
    book.add("a", "raise", "x", 2)
    assert [(fault.trader, fault.kind, fault.text) for fault in book.errors()] == [
        ("a", "raise", "x"),
        ("a", "raise", "y"),
        ("a", "exit", "x"),
        ("b", "raise", "x"),
    ]
    assert [fault.kind for fault in book.errors("b")] == ["raise"]
    book.forget("a")
    assert [fault.trader for fault in book.errors()] == ["b"]


@pytest.mark.parametrize(
    ("text", "again"),
    [
        (
            "MemoryError: Unable to allocate 7.45 GiB for an array with shape (1000000000,) and data type float64",
            "MemoryError: Unable to allocate 953. MiB for an array with shape (125000000,) and data type float64",
        ),
        ("ended by SIGKILL, with 1,234 MB of memory", "ended by SIGKILL, with 998 MB of memory"),
        ("mmap of 4096 bytes failed", "mmap of 65,536 bytes failed"),
        ("<object object at 0x7f00aa10>", "<object object at 0x7FFFAB20>"),
        ("a score of -1.5e-05 is wrong", "a score of 3 is wrong"),
    ],
)
def test_errors_that_differ_in_figures_are_one(text: str, again: str) -> None:
    """Its text is the last one."""
    book = ErrorBook()
    book.add("rsi", "raise", text, 1)
    book.add("rsi", "raise", again, 2)
    (error,) = book.errors()
    assert (error.text, error.count, error.first_ms, error.last_ms) == (again, 2, 1, 2)
    assert len(ErrorBook.of_saved(book.saved()).errors()) == 1


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("ValueError in line 12", "ValueError in line 30"),
        ("rsi.py:12: ValueError", "rsi.py:30: ValueError"),
        ("ended with exit code 1", "ended with exit code 3"),
        ("ended by signal 9", "ended by signal 11"),
        ("[Errno 28] no", "[Errno 5] no"),
        ("no candle of BTC1", "no candle of BTC2"),
        ("dtype float32", "dtype float64"),
        ("symbol '1INCHUSDT'", "symbol '2INCHUSDT'"),
    ],
)
def test_figures_that_say_which_error_it_is_tell_errors_apart(text: str, other: str) -> None:
    """Lines, codes and names."""
    book = ErrorBook()
    book.add("rsi", "raise", text, 1)
    book.add("rsi", "raise", other, 2)
    assert [error.text for error in book.errors()] == [other, text]


def test_a_full_book_forgets_the_longest_silent() -> None:
    """It keeps an old error that still comes."""
    book = ErrorBook(keep=2)
    for text in ("a", "b", "a", "c"):
        book.add("rsi", "raise", text, 1)
    assert [fault.text for fault in book.errors()] == ["c", "a"]
    assert book.forgotten == 1


def test_of_a_long_stack_the_end_is_kept() -> None:
    """The error itself is at the end."""
    stack = ErrorBook().add("rsi", "raise", "x", 1, "x" * STACK_CHARACTERS + "end").stack
    assert len(stack) == STACK_CHARACTERS
    assert stack.endswith("end")


def test_a_book_survives_as_plain_values() -> None:
    """The order survives; a saved book that is too long is cut."""
    book = ErrorBook()
    for text in ("a", "b", "a", "c"):
        book.add("rsi", "raise", text, 1, "stack")
    saved = json.loads(json.dumps(book.saved()))
    assert ErrorBook.of_saved(saved).saved() == book.saved()
    assert [fault.text for fault in ErrorBook.of_saved(saved, keep=2).errors()] == ["c", "a"]
