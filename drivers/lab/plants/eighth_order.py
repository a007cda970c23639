"""A feed drive of eighth order: rigid body with damping and three resonances, as used in benchmarks of PID tuning (University of Tokyo, control workshop, 2018)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .linear_plant import Bench, Noise, StateSpace, of_zeros_and_poles, pid, truth_of

ZEROS: Final = (
    -153.329147774075 + 1825.673570553010j, -153.329147774075 - 1825.673570553010j,
    -39.126477290724 + 601.973241891408j, -39.126477290724 - 601.973241891408j,
    -3.170161097733 + 273.922740595655j, -3.170161097733 - 273.922740595655j,
)  # fmt: skip
POLES: Final = (
    0.0, -2.100774089528,
    -5.446668039055 + 191.363603871908j, -5.446668039055 - 191.363603871908j,
    -22.700067819691 + 559.791345771639j, -22.700067819691 - 559.791345771639j,
    -131.098843525143 + 1868.124153338216j, -131.098843525143 - 1868.124153338216j,
)  # fmt: skip
GAIN: Final = 0.990921091595854
KP, KI, KD, TAU_S = 25.0, 40.0, 4.0, 0.01
"""Of the published PID controller, kp + ki/s + kd s/(τ s + 1)."""
STEP_S: Final = 1 / 4000


def plant() -> StateSpace:
    """Position over force."""
    return of_zeros_and_poles(ZEROS, POLES, GAIN)


def bench(*, closed: bool = True, noise: Noise | None = None, seed: int = 0) -> Bench:
    """The plant under the published PID controller at 4 kHz, or in open loop."""
    law = pid(KP, KI, KD, TAU_S, step_s=STEP_S) if closed else None
    return Bench(plant=plant(), step_s=STEP_S, controller=law, noise=Noise() if noise is None else noise, seed=seed)


def truth() -> dict[str, Any]:
    """Zeros, poles, gain and controller, as published with a run."""
    return truth_of(
        plant="eighth-order drive",
        zeros_rad_per_s=[[value.real, value.imag] for value in np.array(ZEROS).tolist()],
        poles_rad_per_s=[[value.real, value.imag] for value in np.array(POLES, dtype=complex).tolist()],
        gain=GAIN,
        controller={"kp": KP, "ki": KI, "kd": KD, "tau_s": TAU_S},
    )
