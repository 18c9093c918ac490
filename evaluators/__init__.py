"""From runs to a verdict: labelers, judgments, measures, statistics, comparison."""

from __future__ import annotations
