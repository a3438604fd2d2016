"""Bodies that no well-behaved client sends, drawn from a seed: for the server to refuse and to survive."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_ODD_TOKENS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e-999", b"9" * 400, b"-0", b"0x10", b"null", b"true", b'"\\ud800"',
    b'"\\u0000"', b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\x00", b"[]", b"{}", b"[[]]", b'{"b64":"%%%"}',
    b'{"b64":"AAAA"}', b"/* */", b",,", b"1.", b".5", b"01", b"256", b"-1", b"0.5", b"18446744073709551616",
)  # fmt: skip
_KEYS = ("instances", "inputs", "images", "signature_name", "b64", "", "class", "__proto__", "\u0000")


def hostile_bodies(images: np.ndarray, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield bodies: mutations of valid requests of uint8 images (n, rows, columns), and what was never one."""
    source = random.Random(seed)
    kinds: tuple[Callable[[random.Random, bytes], bytes], ...] = (
        _bytes_changed, _bytes_changed, _token_put_in, _token_put_in, _cut, _spliced, _tree, _tree, _noise, _nested,
        _huge, _encoded, _reshaped,
    )  # fmt: skip
    valid = {number: _valid_bodies(images[:number].tolist()) for number in (1, 2, 5)}
    for _ in range(count):
        body = source.choice(valid[source.choice((1, 1, 1, 2, 5))])
        yield source.choice(kinds)(source, body)


def _valid_bodies(some: list[Any]) -> list[bytes]:
    """Return the forms of a request of some images, in V1 and in V2."""
    flat = np.array(some).ravel().tolist()
    tensor = {"name": "images", "shape": [len(some), 28, 28], "datatype": "UINT8", "data": flat}
    forms = ({"instances": some}, {"inputs": some}, {"inputs": {"images": some}}, {"inputs": [tensor]})
    return [json.dumps(each).encode() for each in forms]


def _bytes_changed(source: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(source.choice((1, 2, 20))):
        changed[source.randrange(len(changed))] = source.randrange(256)
    return bytes(changed)


def _token_put_in(source: random.Random, body: bytes) -> bytes:
    place = source.randrange(len(body))
    return body[:place] + source.choice(_ODD_TOKENS) + body[place + source.choice((0, 1, 9)) :]


def _cut(source: random.Random, body: bytes) -> bytes:
    return body[: source.randrange(len(body))]


def _spliced(source: random.Random, body: bytes) -> bytes:
    first, second = sorted(source.randrange(len(body)) for _ in range(2))
    return body[:first] + body[first:second] * source.randrange(4) + body[second:]


def _noise(source: random.Random, _: bytes) -> bytes:
    return source.randbytes(source.choice((0, 1, 7, 300, 5000)))


def _nested(source: random.Random, _: bytes) -> bytes:
    depth = source.choice((30, 64, 65, 900, 1100, 50_000))
    opened, closed = source.choice(((b"[", b"]"), (b'{"a":', b"}")))
    inner = opened * depth + b"1" + closed * source.choice((0, depth))
    return b'{"instances": [' + inner + b"]}"


def _huge(source: random.Random, _: bytes) -> bytes:
    kind = source.randrange(4)
    if kind == 0:
        return b'{"instances": [' + b"9" * source.choice((20, 400, 5000)) + b"]}"
    if kind == 1:
        return b'{"instances": [' + b"0," * 50_000 + b"0]}"
    if kind == 2:
        return b'{"instances": [' + b"[]," * 20_000 + b"[]]}"
    return b'{"' + b"a" * 50_000 + b'": 1}'


def _encoded(source: random.Random, body: bytes) -> bytes:
    text = base64.b64encode(body[:200]).decode()[source.randrange(4) :]
    value: Any = source.choice(({"b64": text}, {"b64": text, "x": 1}, {"b64": 7}, {"b64": None}, [{"b64": "é"}]))
    return json.dumps({source.choice(("instances", "inputs")): source.choice((value, [value], [[value]]))}).encode()


def _reshaped(source: random.Random, _: bytes) -> bytes:
    shape = [source.choice((0, 1, 2, 3, 28)) for _ in range(source.randrange(1, 5))]
    values = np.random.default_rng(source.randrange(2**32)).normal(0, 10.0 ** source.randrange(-3, 300), shape)
    return json.dumps({"instances": source.choice((values, values.round()))[()].tolist()}).encode()


def _tree(source: random.Random, _: bytes) -> bytes:
    keys = source.sample(_KEYS, source.randrange(1, 4))
    return json.dumps({key: _value(source, 4) for key in keys}).encode()


def _value(source: random.Random, depth: int) -> Any:
    leaves = (0, 1, -1, 255, 256, 0.5, 1e308, True, False, None, "", "7", "serving_default", "network", 2**63, 2**64)
    kind = source.randrange(4) if depth else 0
    if kind < 2:
        return source.choice(leaves)
    if kind == 2:
        return [_value(source, depth - 1) for _ in range(source.randrange(4))]
    return {source.choice(_KEYS): _value(source, depth - 1) for _ in range(source.randrange(3))}
