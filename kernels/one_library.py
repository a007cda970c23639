"""Arrays that go into one kernel together have to be of one library and on one device: kernels move nothing."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace, device


def one_library(arrays: dict[str, Any]) -> None:
    """Check that the named arrays belong to one array library and lie on one device.

    Raises
    ------
    ValueError
        They do not; the message says what each is.
    """
    try:
        array_namespace(*arrays.values())
    except TypeError:
        kinds = ", ".join(f"{name}: {type(a).__module__}.{type(a).__name__}" for name, a in arrays.items())
        raise ValueError(f"arrays of different libraries ({kinds}); expected all of one: move them first") from None
    places = {name: str(device(a)) for name, a in arrays.items()}
    if len(set(places.values())) > 1:
        raise ValueError(f"arrays on different devices ({places}); expected all on one: move them first")
