"""Kernels: arrays in, arrays out; no device, no standard, no file. Import as precision.kernels.

The argument decides where a kernel runs: NumPy arrays on the CPU (blocked NumPy, or Numba where it is installed), CuPy
arrays on their GPU, any other array-API library through the generic implementation. Nothing is moved, nothing falls
back.
"""

from precision.kernels.contour import ContourError, Toolpath, contour_error
from precision.kernels.gpu import Gpu, usable_gpu
from precision.kernels.volumetric import (
    AxisErrors,
    GeometricErrors,
    volumetric_compensation,
    volumetric_error,
    volumetric_error_grid,
)

__all__ = [
    "AxisErrors",
    "ContourError",
    "GeometricErrors",
    "Gpu",
    "Toolpath",
    "contour_error",
    "usable_gpu",
    "volumetric_compensation",
    "volumetric_error",
    "volumetric_error_grid",
]
