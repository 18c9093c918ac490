"""The command line: one module for each verb, imported when the verb is used."""

from __future__ import annotations

from relevance_eval.cli.main import main

__all__ = ["main"]
