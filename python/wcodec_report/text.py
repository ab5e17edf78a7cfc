"""How strings and numbers from files are shown to people."""

import math
import unicodedata

MINUS = "\N{MINUS SIGN}"


def visible(text: str) -> str:
    """The text with every control, format and unassigned character spelt out, so that none of them acts."""
    return "".join(c if unicodedata.category(c)[0] != "C" else _spelt(c) for c in text)


def _spelt(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters; the middle gives way, since names differ at both ends."""
    text = visible(text)
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def signed(value: float | None, digits: int = 4) -> str:
    """``+0.0012``, ``−0.0300``, or a dash where there is no value."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:+.{digits}f}".replace("-", MINUS)


def interval(low: float | None, high: float | None) -> str:
    """``−0.0020 … +0.0011``, or a sentence where the interval is not given."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "no interval"
    return f"{signed(low)} … {signed(high)}"


def count(value: int) -> str:
    """Thousands apart: ``20,000``."""
    return f"{value:,}"


def plural(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def magnitude(value: float) -> str:
    """Three significant digits with k, M or G: ``22.7 M``."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def listed(names: list[str], limit: int = 3) -> str:
    """``a, b, c and 5 more``."""
    shown = [visible(name) for name in names[:limit]]
    rest = len(names) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
