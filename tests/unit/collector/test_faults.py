"""The error book."""

import json

from services.collector.faults import STACK_CHARACTERS, ErrorBook


def test_the_same_error_is_kept_once() -> None:
    """With count, first and last time, and the first stack that came with it."""
    book = ErrorBook()
    book.note("rsi", "raise", "boom", 10)
    book.note("rsi", "raise", "boom", 20, "the stack")
    book.note("rsi", "raise", "boom", 30, "another")
    (fault,) = book.faults()
    assert (fault.count, fault.first_ms, fault.last_ms, fault.stack) == (3, 10, 30, "the stack")


def test_errors_differ_by_trader_kind_and_text() -> None:
    """The one that came last is first, and a trader's own can be asked for."""
    book = ErrorBook()
    for trader, kind, text in (("a", "raise", "x"), ("b", "raise", "x"), ("a", "exit", "x"), ("a", "raise", "y")):
        book.note(trader, kind, text, 1)
    book.note("a", "raise", "x", 2)
    assert [(fault.trader, fault.kind, fault.text) for fault in book.faults()] == [
        ("a", "raise", "x"),
        ("a", "raise", "y"),
        ("a", "exit", "x"),
        ("b", "raise", "x"),
    ]
    assert [fault.kind for fault in book.faults("b")] == ["raise"]
    book.forget("a")
    assert [fault.trader for fault in book.faults()] == ["b"]


def test_a_full_book_forgets_the_longest_silent() -> None:
    """Not the oldest that still comes."""
    book = ErrorBook(keep=2)
    for text in ("a", "b", "a", "c"):
        book.note("rsi", "raise", text, 1)
    assert [fault.text for fault in book.faults()] == ["c", "a"]
    assert book.forgotten == 1


def test_of_a_long_stack_the_end_is_kept() -> None:
    """There the error is."""
    stack = ErrorBook().note("rsi", "raise", "x", 1, "x" * STACK_CHARACTERS + "end").stack
    assert len(stack) == STACK_CHARACTERS
    assert stack.endswith("end")


def test_a_book_survives_as_plain_values() -> None:
    """In its order, and no longer than it may be."""
    book = ErrorBook()
    for text in ("a", "b", "a", "c"):
        book.note("rsi", "raise", text, 1, "stack")
    saved = json.loads(json.dumps(book.saved()))
    assert ErrorBook.of_saved(saved).saved() == book.saved()
    assert [fault.text for fault in ErrorBook.of_saved(saved, keep=2).faults()] == ["c", "a"]
