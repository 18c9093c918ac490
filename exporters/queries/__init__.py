"""Queries that nobody has typed yet: asked of a model, or made of the documents' own words."""

from __future__ import annotations
