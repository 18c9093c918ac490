"""Is ranker B better than ranker A, how sure are we, and what did it cost to know?"""

from __future__ import annotations

__version__ = "0.1.0"
