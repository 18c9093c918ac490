"""From an index to a labeler."""

from __future__ import annotations
