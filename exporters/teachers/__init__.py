"""How a language model is asked for a grade, and how its answer is read."""

from __future__ import annotations
