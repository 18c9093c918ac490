"""Tools that grade pairs with one and the same network, each in a process of its own."""

from __future__ import annotations
