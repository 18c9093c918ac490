"""Everything that talks to Elasticsearch."""

from __future__ import annotations
