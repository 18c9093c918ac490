"""Settings and mapping of an index, without what every index has of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, cast

from elasticsearch import ApiError, Elasticsearch

from relevance_eval.plugin.server import translated

__all__ = ["index_states"]

LOG = logging.getLogger(__name__)
OWN = ("creation_date", "provided_name", "uuid", "version", "resize", "routing")
"""Settings that tell one index from its copy, and say nothing of how it answers."""
FORBIDDEN = (401, 403)
NOTES = "_meta"
"""Of a mapping: what applications write there changes no ranking."""
State = list[dict[str, Any]]


def index_states(client: Elasticsearch, names: Iterable[str]) -> dict[str, State]:
    """Of each index, alias or pattern, the settings and mappings behind it, in a fixed order.

    The names of concrete indices have no part in it: a copy that an alias was moved to is the same
    if it is set up the same. One whose settings this user may not see is left out, and logged.

    Raises:
        MissingIndexError, UnreachableError: as they say.
    """
    states: dict[str, State] = {}
    for name in sorted(set(names)):
        with translated(f"index {name}"):
            try:
                found = client.indices.get(index=name)
            except ApiError as error:
                if error.status_code not in FORBIDDEN:
                    raise
                LOG.info("settings of %s may not be seen, and are not recorded", name)
                continue
        states[name] = sorted((of_one(one) for one in found.values()), key=repr)
    return states


def of_one(index: Mapping[str, Any]) -> dict[str, Any]:
    settings = cast(dict[str, Any], index.get("settings", {}).get("index", {}))
    kept = {key: settings[key] for key in sorted(settings) if key not in OWN}
    mappings = {k: v for k, v in index.get("mappings", {}).items() if k != NOTES}
    return {"settings": kept, "mappings": mappings}
