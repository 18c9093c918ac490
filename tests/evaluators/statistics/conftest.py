"""What the tests of statistics share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

SAMPLES = {
    "small": [0.1, -0.05, 0.2, 0.0, 0.15],
    "two": [0.3, 0.1],
    "negative": [-0.4, -0.1, -0.2, 0.05, -0.3, -0.25],
    "drawn": np.random.default_rng(3).normal(0.02, 0.15, 150).tolist(),
}


@pytest.fixture(params=SAMPLES.values(), ids=SAMPLES.keys())
def sample(request: pytest.FixtureRequest) -> npt.NDArray[np.float64]:
    """Per-query differences, shape [n]."""
    return np.array(request.param)
