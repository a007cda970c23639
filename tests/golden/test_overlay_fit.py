"""The overlay fit on a public data set: a photomask's placement, with all its marks and without the one for information.

Data: Demo-4Point.csv of image-registration (Apache-2.0), µm. Expected values: an independent least-squares computation of the same readings, to the
digits given (scales and rotations in ppm, three standard deviations of what is left with divisor n − 1, in nm).
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from precision.kernels import compiled
from precision.kernels.overlay_fit import overlay_fit

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "mask_registration" / "Demo-4Point.csv"

# One row a set of marks: x scale, y scale, rotation of y, rotation of x (against its sense here), then the residuals of x and y
EXPECTED_PPM = np.array([[0.126934, 0.033158, -0.079268, -0.000804], [0.108074, 0.048094, -0.093888, -0.020074]])
EXPECTED_NM = np.array([[10.6846, 11.8182], [7.7808, 9.2726]])


@pytest.mark.parametrize("numba", ["off", "on"])
def test_one_call_fits_a_real_mask_with_and_without_a_mark_to_the_printed_digits(monkeypatch: pytest.MonkeyPatch, numba: str) -> None:
    monkeypatch.setenv(compiled.SWITCH, numba)
    if not DATA.is_file():
        pytest.skip(f"the real data are not beside the repository ({DATA})")
    with DATA.open(newline="") as file:
        rows = list(csv.DictReader(file))
    design = np.array([[float(row["refx"]), float(row["refy"])] for row in rows])
    moved = np.array([[float(row["posx"]), float(row["posy"])] for row in rows]) - design
    counts = np.array([row["type"] != "INFO_ONLY" for row in rows])
    valid = np.stack([np.ones_like(counts), counts])[:, None, :]
    overlay = np.where(valid, moved.T, np.nan)  # whatever stands at a mark that is left out
    fit = overlay_fit(np.column_stack([np.ones(len(rows)), design - design.mean(axis=0)]), overlay, valid=valid)
    (_, sx, oy), (_, minus_ox, sy) = np.moveaxis(fit.coefficients, 0, -1)
    # half a unit of the last digit printed
    np.testing.assert_allclose(1e6 * np.stack([sx, sy, oy, -minus_ox], axis=1), EXPECTED_PPM, rtol=0, atol=0.51e-6)
    assert fit.marks.tolist() == [[11, 11], [10, 10]]
    left = 3 * np.sqrt(fit.residual_sum_of_squares / (fit.marks - 1))
    np.testing.assert_allclose(1e3 * left, EXPECTED_NM, rtol=0, atol=0.51e-4)
