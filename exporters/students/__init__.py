"""Models that learn from a teacher: what they read, how they learn, what they came to."""

from __future__ import annotations
