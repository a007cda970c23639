"""A real array as every kernel takes it: of any array library, float64, of the expected shape; or a ValueError that says so."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace, device, is_cupy_namespace, is_numpy_namespace


def real_array(name: str, values: Any, expected: str, *, ndim: int | None = None) -> tuple[Any, Any]:
    """`values` as float64 in its own library and on its own device, and the namespace of that library.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    values : array
        float64, float32 or integer. Nothing is copied where it is float64 already.
    expected : str
        The shape asked for, in words ("(..., n) with n ≥ 3"), for the message.
    ndim : int or None
        Number of axes; None for one or more.

    Raises
    ------
    ValueError
        Not an array, not real numbers, another number of axes.
    """
    try:
        xp = array_namespace(values)
    except TypeError:
        kind = type(values).__name__
        raise ValueError(
            f"{name} is a {kind}; expected an array (NumPy, CuPy or another array-API library) of shape {expected}"
        ) from None
    if not xp.isdtype(values.dtype, ("real floating", "integral")):
        dtype = str(values.dtype).rpartition(".")[2]
        raise ValueError(
            f"{name} has shape {values.shape} and dtype {dtype}; expected real numbers of shape {expected}"
        )
    if values.ndim == 0 or (ndim is not None and values.ndim != ndim):
        raise ValueError(f"{name} has shape {values.shape}; expected {expected}")
    return (values if values.dtype == xp.float64 else xp.astype(values, xp.float64)), xp


def result_array(name: str, given: Any, shape: tuple[int, ...], *inputs: Any, xp: Any) -> Any:
    """Where a result goes: the array that the caller has for it, or a new one.

    Memory fresh from the system is cleared page by page when it is first touched, which takes about as long as a kernel that is
    bound by memory; who gives the same array again and again saves that.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    given : array or None
        None for a new one. Otherwise float64, of this shape, in the library and on the device of the inputs, C-contiguous and
        writable, and apart from the inputs.
    shape : tuple of int
        Of the result.
    inputs : arrays
        At least one.

    Raises
    ------
    ValueError
        The array given is not like that.
    """
    if given is None:
        return xp.empty(shape, dtype=xp.float64, device=device(inputs[0]))
    expected = f"a float64 array of shape {shape}, C-contiguous, writable, and of the library and device of the data"
    try:
        same = array_namespace(given, *inputs) is xp and str(device(given)) == str(device(inputs[0]))
    except TypeError:
        same = False
    if not same:
        kind = type(given)
        shown = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        raise ValueError(f"{name} is a {shown}; expected {expected}")
    if given.shape != shape or given.dtype != xp.float64:
        dtype = str(given.dtype).rpartition(".")[2]
        raise ValueError(f"{name} has shape {given.shape} and dtype {dtype}; expected {expected}")
    if is_numpy_namespace(xp) or is_cupy_namespace(xp):
        if not given.flags.c_contiguous or (is_numpy_namespace(xp) and not given.flags.writeable):
            raise ValueError(f"{name} is not C-contiguous, or read-only; expected {expected}")
        if any(xp.may_share_memory(given, one) for one in inputs):
            raise ValueError(f"{name} shares memory with the data; expected an array apart from them")
    return given


def whole_number(name: str, value: Any, expected: str) -> int:
    """`value` as an int.

    Raises
    ------
    ValueError
        A float, a bool, text: anything that is no integer.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(f"{name} is {value!r}; expected {expected}")
    return int(value.__index__())


def positive_number(name: str, value: Any, expected: str) -> float:
    """`value` as a float above zero and below infinity.

    Raises
    ------
    ValueError
        Anything else.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; expected {expected}") from None
    if not 0.0 < number < float("inf"):
        raise ValueError(f"{name} is {value!r}; expected {expected}")
    return number
