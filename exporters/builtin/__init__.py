"""Makes the built-in labeler: reading, training, calibrating, measuring, exporting."""

from __future__ import annotations
