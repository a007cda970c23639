"""MA and MSD against their closed forms (stages_and_control.md §1.2), and the statistics of a lot of fields (§1.1)."""

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards import slit as slits
from precision.standards.distribution import Distribution
from precision.standards.scan_quality import Exposure, evaluate, evaluate_blocks, synchronisation_error
from precision.uncertainty.readings import Readings

RATE_HZ = 20_000.0
T_S = 0.01
W = 200
SLIT = slits.rectangular(T_S, RATE_HZ)
WHOLE = [Exposure(field="1", direction="up", begin_s=0.0, end_s=0.4)]
TIME_S = np.arange(8001) / RATE_HZ


def dirichlet(frequency_hz: float) -> float:
    return math.sin(math.pi * frequency_hz * W / RATE_HZ) / (W * math.sin(math.pi * frequency_hz / RATE_HZ))


@pytest.mark.parametrize(("frequency_hz", "ma", "msd"), [(37.0, 7.895460, 5.858448), (100.0, 0.0, 7.071068), (150.0, 2.122262, 7.071048)])
def test_sine_of_ten_nanometres(frequency_hz: float, ma: float, msd: float) -> None:
    error = 10e-9 * np.sin(2 * np.pi * frequency_hz * TIME_S)
    result = evaluate({"y": error}, WHOLE, SLIT)
    assert abs(abs(dirichlet(frequency_hz)) * 10 - ma) < 6e-7  # the closed form is the printed number
    found_ma, found_msd = result["MA_y_max"], result["MSD_y_max"]
    assert found_ma is not None
    assert found_msd is not None
    # The phase of 8001 samples comes within 2π·f/fs/2 of the crest of MA: 1 − cos of that is below 3e-4 of it.
    assert ma * (1 - 3e-4) - 1e-6 <= found_ma * 1e9 <= ma + 1e-6
    assert msd * (1 - 3e-4) <= found_msd * 1e9 <= msd + 1e-6


def test_ramp_blurs_by_its_length_over_root_twelve() -> None:
    result = evaluate({"y": 100e-9 * TIME_S}, WHOLE, SLIT)
    assert result["MSD_y_max"] == pytest.approx(0.288671526e-9, rel=1e-7)


def test_parabola_shifts_by_a_twenty_fourth() -> None:
    error = 1000e-9 * TIME_S**2 / 2
    field = evaluate({"y": error}, WHOLE, SLIT).fields[0].extremes["y"]
    centre = 1000e-9 * field.ma_at_s**2 / 2
    assert (field.ma - centre) * 1e9 == pytest.approx(4.166563e-3, rel=1e-5)


def test_white_noise_is_averaged_by_root_w_and_the_parts_add_up() -> None:
    noise = np.random.default_rng(5).normal(scale=1e-9, size=400_001)
    result = evaluate({"y": noise}, [Exposure(field="1", direction="up", begin_s=0, end_s=20.0)], SLIT)
    assert result["MA_y_3s"] == pytest.approx(3e-9 / math.sqrt(W), rel=0.05)  # 2000 independent windows: 1.6 % of a standard deviation, times three
    assert result["MSD_y_mean"] == pytest.approx(1e-9 * math.sqrt(1 - 1 / W), rel=0.005)


def test_trapezoidal_slit() -> None:
    error = 10e-9 * np.sin(2 * np.pi * 100.0 * TIME_S)
    result = evaluate({"y": error}, WHOLE, slits.trapezoidal(T_S, 0.2 * T_S, RATE_HZ))
    assert result["MA_y_max"] == pytest.approx(2.187491e-9, rel=3e-4)


def lot(fields: int = 12) -> tuple[dict[str, np.ndarray], list[Exposure]]:
    rng = np.random.default_rng(11)
    n = 700 * fields
    error = {"x": rng.normal(scale=1e-9, size=n), "y": rng.normal(scale=2e-9, size=n), "Rz": rng.normal(scale=1e-8, size=n)}
    exposures = [
        Exposure(field=f"{k}", direction="up" if k % 2 == 0 else "down", begin_s=(700 * k + 100) / RATE_HZ, end_s=(700 * k + 650) / RATE_HZ) for k in range(fields)
    ]
    for k in range(0, fields, 2):
        error["y"][700 * k : 700 * (k + 1)] += 5e-9
    return error, exposures


@pytest.mark.parametrize("size", [1, 37, 701, 5000])
def test_blocks_of_any_size_give_the_figures_of_the_whole(size: int) -> None:
    error, exposures = lot()
    n = error["x"].size
    blocks = ({axis: values[k : k + size] for axis, values in error.items()} for k in range(0, n, size))
    whole = evaluate(error, exposures, SLIT, slit_width_m=0.026).to_dict()
    assert evaluate_blocks(blocks, exposures, SLIT, slit_width_m=0.026).to_dict() == whole


def test_directions_are_told_apart() -> None:
    error, exposures = lot()
    result = evaluate(error, exposures, SLIT)
    assert result["MA_y_up_down"] == pytest.approx(5e-9, abs=0.5e-9)
    assert result["MA_y_m3s_up"] > result["MA_y_m3s_down"]  # type: ignore[operator]


def test_a_rotation_shows_at_the_slit_ends_only() -> None:
    tilt = 1e-8 * np.ones(8001)
    result = evaluate({"y": np.zeros(8001), "Rz": tilt, "z": np.zeros(8001), "Ry": tilt}, WHOLE, SLIT, slit_width_m=0.026)
    field = result.fields[0].extremes
    assert field["y"].ma == 0
    assert field["y@+"].ma == pytest.approx(1.3e-10)
    assert field["y@−"].ma == pytest.approx(-1.3e-10)
    assert field["z@+"].ma == pytest.approx(-1.3e-10)


def test_the_quantile_is_that_of_all_windows_and_the_maximum_stands_beside_it() -> None:
    values = np.random.default_rng(3).standard_t(3, size=100_000)
    held = Distribution(total=values.size, quantile=0.997)
    for part in np.array_split(values, 77):
        held.add(part)
    assert held.quantile_value == pytest.approx(np.quantile(np.abs(values), 0.997), rel=1e-12)
    assert held.largest == np.abs(values).max()
    assert held.std == pytest.approx(values.std(), rel=1e-12)


def test_uncertainty_of_the_extremes_covers_a_sensor_with_noise_and_drift() -> None:
    rng = np.random.default_rng(8)
    true = 3e-9 * np.sin(2 * np.pi * 37 * TIME_S)
    sensor = Readings(device=0.2e-9, noise=0.1e-9)
    misses = 0
    for _ in range(40):
        seen = true * (1 + 0.03 * rng.uniform(-1, 1)) + rng.normal(scale=0.1e-9, size=true.size)
        result, truth = evaluate({"y": seen}, WHOLE, SLIT, readings={"y": sensor}), evaluate({"y": true}, WHOLE, SLIT)
        for key, figure in result.figures.items():
            assert figure.uncertainty is not None
            misses += abs(figure.value - truth[key]) > figure.uncertainty
    assert misses <= 0.05 * 40 * len(result.figures)


def test_synchronisation_error_takes_the_sign_of_the_lens() -> None:
    assert synchronisation_error([1.0], [4.0], reduction=0.25)[0] == 0.0
    assert synchronisation_error([1.0], [4.0], reduction=-0.25)[0] == 2.0


def test_missing_axes_and_a_single_direction_are_flagged() -> None:
    flags = " ".join(evaluate({"y": np.zeros(8001)}, WHOLE, SLIT).flags)
    assert "no record of x, z, Rx, Ry, Rz" in flags
    assert "only fields scanned up" in flags


@pytest.mark.parametrize(
    ("error", "exposures", "words"),
    [
        ({"y": np.zeros(8001)}, [Exposure(field="A7", direction="up", begin_s=0.0, end_s=0.009)], "field A7: the exposure lasts 180 samples"),
        ({"y": np.zeros(100)}, WHOLE, "field 1 ends at 0.4 s"),
        ({"y": np.full(8001, np.nan)}, WHOLE, "field 1: y is nan"),
        ({"w": np.zeros(8001)}, WHOLE, "axes w"),
        ({}, WHOLE, "axes none"),
        ({"y": np.zeros(8001), "x": np.zeros(8000)}, WHOLE, "equal length"),
        ({"y": np.zeros(8001)}, [], "no exposure"),
        ({"y": np.zeros(8001)}, [*WHOLE, Exposure(field="2", direction="up", begin_s=0.3, end_s=0.5)], "field 2 begins"),
        ({"y": np.zeros(8001)}, [Exposure(field="0", direction="up", begin_s=-0.1, end_s=0.2)], "before the record"),
    ],
)
def test_a_record_that_cannot_be_judged_is_refused_naming_field_or_axis(error, exposures, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=words):
        evaluate(error, exposures, SLIT)


def test_a_long_log_is_judged_in_the_memory_of_one_field() -> None:
    import tracemalloc

    fields, samples = 60, 6000
    exposures = [Exposure(field=f"{k}", direction="up", begin_s=k * samples / RATE_HZ, end_s=(k * samples + 5000) / RATE_HZ) for k in range(fields)]
    blocks = ({axis: np.random.default_rng(k).normal(size=samples) for axis in ("x", "y", "z", "Rx", "Ry", "Rz")} for k in range(fields))
    tracemalloc.start()
    evaluate_blocks(blocks, exposures, SLIT, slit_width_m=0.026)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12e6  # the log alone is 17 MB, its windows (10 quantities, MA and MSD) another 46 MB
