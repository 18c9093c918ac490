"""Models of one score that others have trained: read as they are, and calibrated to grades."""

from __future__ import annotations
