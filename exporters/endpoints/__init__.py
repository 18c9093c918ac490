"""Language models behind OpenAI-compatible servers: requests, replies, pace and budget."""

from __future__ import annotations
