"""The part of a page that is written by code: what stands between two marks."""


def with_part(page: str, name: str, part: str) -> str:
    r"""Return a page with its part of that name in place of the one that is there.

    >>> with_part("a\n<!-- fruit -->\nfig\n<!-- end of fruit -->\nb\n", "fruit", "pear\n")
    'a\n<!-- fruit -->\npear\n<!-- end of fruit -->\nb\n'
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    assert begins, f"the page has lost {begin}"
    assert ends, f"the page has lost {end}"
    return before + begin + part + end + after
