"""Amounts of cores, memory and other resources, as Kubernetes writes them.

Argo's server writes an object with Kubernetes' own types, which bring an amount into one form (``0.5`` becomes ``500m``). What is
sent has that form already, so that a live object can be compared with what was sent.

Grammar: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SUFFIXES = {power: suffix for suffix, power in _DECIMAL.items()}
_QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))([KMGTPE]i|[numkMGTPE]?|[eE][+-]?\d{1,3})", re.ASCII)

MOST = 2**63 - 1
"""The largest number in Kubernetes."""

_HUB_MEMORY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([KMGT])", re.ASCII)
"""JupyterHub's own form, in which a letter stands for a power of 1024 (``jupyterhub.traitlets.ByteSpecification``)."""


def cores(value: object) -> str:
    """Return a number of cores, such as ``0.5`` or ``"500m"``, as a quantity.

    Raises
    ------
    ValueError
        It is not one.
    """
    return _not_negative(value, "a number of cores, such as 0.5 or '500m'")


def memory(value: object) -> str:
    """Return an amount of memory as a quantity: a number of bytes, JupyterHub's ``"2G"`` (2 GiB), or Kubernetes' ``"2Gi"``.

    Raises
    ------
    ValueError
        It is not one.
    """
    what = "an amount of memory, such as '2G', '512M' or a number of bytes"
    hub = _HUB_MEMORY.fullmatch(value) if isinstance(value, str) else None
    given = int(Decimal(hub[1]) * 1024 ** " KMGT".index(hub[2])) if hub else value
    if isinstance(given, int) and not isinstance(given, bool) and given and given % 1024 == 0:
        given = f"{given // 1024}Ki"
    try:
        found = _not_negative(given, what)
        if amount(found) % 1:  # '512m' is half a byte
            raise ValueError
    except ValueError:
        raise ValueError(f"{value!r} is not {what}") from None
    return found


def other(value: object) -> str:
    """Return an amount of some other resource as a quantity.

    Raises
    ------
    ValueError
        It is not one.
    """
    return _not_negative(value, "an amount, such as 1 or '10Gi'")


def _not_negative(value: object, what: str) -> str:
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        found = canonical(str(value))
        if not 0 <= amount(found) <= MOST:
            raise ValueError
    except ValueError:
        raise ValueError(f"{value!r} is not {what}") from None
    return found


def amount(quantity: str) -> Decimal:
    """Return the number that a quantity stands for.

    Raises
    ------
    ValueError
        It is not a quantity.
    """
    found = _QUANTITY.fullmatch(quantity.strip())
    if not found:
        raise ValueError(f"'{quantity}' is not a quantity")
    number, suffix = Decimal(found[1]), found[2]
    if suffix.endswith("i"):
        return number * Decimal(1024) ** _BINARY.index(suffix)
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        return number.scaleb(int(suffix[1:]))
    return number.scaleb(_DECIMAL[suffix])


def canonical(quantity: str) -> str:
    """Return a quantity in the one form in which Kubernetes writes it.

    Raises
    ------
    ValueError
        It is not a quantity.
    """
    value = amount(quantity)
    if quantity.strip().endswith("i") and abs(value) >= 1024:
        whole, power = int(value.to_integral_value(ROUND_CEILING)), 0
        while whole % 1024 == 0 and power < len(_BINARY) - 1:
            whole, power = whole // 1024, power + 1
        return f"{whole}{_BINARY[power]}"
    nano = int((value.scaleb(9)).to_integral_value(ROUND_CEILING))  # nothing is finer
    exponent = -9
    while nano and nano % 1000 == 0 and exponent < 18:
        nano, exponent = nano // 1000, exponent + 3
    return f"{nano}{_SUFFIXES[exponent]}" if nano else "0"
