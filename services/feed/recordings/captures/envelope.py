"""Envelope: a line of a capture, the message of a venue with the time of its receipt."""

import re
from json import JSONDecodeError, JSONDecoder
from typing import Any

from tickflag.services.feed.recordings.captures.message_fields import FieldFault

# Order book messages are most of many captures. So they are recognised by the beginning of the line and never parsed.
# Lines written in another way (spaces, another order of keys) are merely slower.
UNREAD = re.compile(
    rb'\{"recv_(?:ns|ts)":[0-9.e+]+,(?:"conn":"[^"]*",)?"msg":'
    rb'(?:\{"stream":"(?:[^"@]*@)?!?(depth|markPrice)(?=[@"0-9])'
    rb'|\[?\{"e":"(depth|markPrice)Update"'
    rb'|\{"lastUpdateId":[0-9]+,"()(?:E|T|bids|symbol|pair)")'
)
UNREAD_KINDS = {b"depth": "depth", b"markPrice": "markPrice", b"": "snapshot"}

decode_json = JSONDecoder().raw_decode


def parse_envelope(line: bytes) -> dict[str, Any]:
    """The one JSON object of a line. Raises FieldFault."""
    try:
        text = line.decode()
        envelope, end = decode_json(text)
    except JSONDecodeError as error:
        raise FieldFault("", f"the line is not JSON ({error.msg} at character {error.pos + 1})") from error
    except (ValueError, RecursionError) as error:  # bytes that are not UTF-8, numbers or nesting beyond all bounds
        raise FieldFault("", f"the line is not JSON ({error})") from error
    if type(envelope) is not dict or (not text[end:].isspace() and end != len(text)):
        raise FieldFault("", "the line is not one JSON object")
    return envelope
