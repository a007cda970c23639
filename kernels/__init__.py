"""Kernels: arrays in, arrays out; no device, no standard, no file. Import as precision.kernels.

The argument decides where a kernel runs: NumPy arrays on the CPU (blocked NumPy, or Numba where it is installed), CuPy
arrays on their GPU, any other array-API library through the generic implementation. Nothing is moved, nothing falls
back.

Kernels whose result is as large as their data take `out=`, arrays to be filled: memory that is fresh from the system is
cleared when it is first touched, which takes about as long as they do. The environment: PRECISION_NUMBA=off leaves Numba
out, PRECISION_THREADS is the most threads of the plain tier (NUMBA_NUM_THREADS those of Numba), PRECISION_CACHE_DIR the
folder of compiled kernels.
"""

from precision.kernels.allan import AllanDeviation, allan_deviation
from precision.kernels.contour import ContourError, Toolpath, contour_error
from precision.kernels.ellipse import Ellipse, EllipseFit, fit_ellipse, fit_ellipse_blocks
from precision.kernels.gpu import Gpu, usable_gpu
from precision.kernels.moving import moving_mean_std, moving_mean_std_blocks, rectangular_window, trapezoidal_window
from precision.kernels.quadrature import PhaseState, corrected, unwrapped_phase, unwrapped_phase_blocks
from precision.kernels.spectrum import CrossSpectrum, Spectrum, cross_spectrum, cumulative_power, power_spectrum
from precision.kernels.volumetric import (
    AxisErrors,
    GeometricErrors,
    volumetric_compensation,
    volumetric_error,
    volumetric_error_grid,
)

__all__ = [
    "AllanDeviation",
    "AxisErrors",
    "ContourError",
    "CrossSpectrum",
    "Ellipse",
    "EllipseFit",
    "GeometricErrors",
    "Gpu",
    "PhaseState",
    "Spectrum",
    "Toolpath",
    "allan_deviation",
    "contour_error",
    "corrected",
    "cross_spectrum",
    "cumulative_power",
    "fit_ellipse",
    "fit_ellipse_blocks",
    "moving_mean_std",
    "moving_mean_std_blocks",
    "power_spectrum",
    "rectangular_window",
    "trapezoidal_window",
    "unwrapped_phase",
    "unwrapped_phase_blocks",
    "usable_gpu",
    "volumetric_compensation",
    "volumetric_error",
    "volumetric_error_grid",
]
