"""Which texts are addresses of things that lie elsewhere, and not paths on this machine."""

from __future__ import annotations

STORE_SCHEMES = ("gs", "s3")  # object stores that `open_store` opens
WEB_SCHEMES = ("https", "http")


def is_address(text: str) -> bool:
    """Return whether a text is an address in an object store or on the web.

    >>> is_address("gs://bucket/digits"), is_address("https://example.test/digits.npz"), is_address("/data/digits")
    (True, True, False)
    """
    return is_store_address(text) or is_web_address(text)


def is_store_address(text: str) -> bool:
    """Return whether a text is an address in an object store.

    >>> is_store_address("gs://bucket/digits"), is_store_address("./registry")
    (True, False)
    """
    return text.startswith(tuple(f"{scheme}://" for scheme in STORE_SCHEMES))


def is_web_address(text: str) -> bool:
    """Return whether a text is a web address.

    >>> is_web_address("https://example.test/digits.npz"), is_web_address("gs://bucket/digits")
    (True, False)
    """
    return text.startswith(tuple(f"{scheme}://" for scheme in WEB_SCHEMES))


def store_schemes() -> str:
    """Return the object stores' schemes for a sentence.

    >>> store_schemes()
    'gs:// or s3://'
    """
    return " or ".join(f"{scheme}://" for scheme in STORE_SCHEMES)
