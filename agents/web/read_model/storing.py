"""Texts as any of the databases takes them."""


def storable(text: str) -> str:
    r"""Return a text without the character 0, which PostgreSQL has no place for.

    >>> storable("ch\0_1") == "ch\ufffd_1"
    True
    """
    return text.replace("\0", "\ufffd")
