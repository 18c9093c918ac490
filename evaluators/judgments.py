"""The store of all judgments: one SQLite file that several processes may use at once.

A judgment is found again by the query's text, the document's content hash and the labeler's
fingerprint, so it is reused exactly when nothing that it depends on has changed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sqlite3
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from relevance_eval.errors import StorageError
from relevance_eval.evaluators.judgment import PERSON, Judgment, Outcome
from relevance_eval.evaluators.pair import Pair

__all__ = ["Judgments", "PairKey"]

LOG = logging.getLogger(__name__)
PairKey = tuple[str, str]
"""A query's text and a document's content hash: `Pair.key`."""

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS judgments (
    query TEXT NOT NULL,      -- SHA-256 of the query's text
    document TEXT NOT NULL,   -- SHA-256 of the document's fields
    labeler TEXT NOT NULL,    -- fingerprint, or person:NAME
    outcome TEXT NOT NULL,    -- graded, failed, refused
    probabilities TEXT NOT NULL, -- JSON list, grade 0 first
    named INTEGER,            -- the grade that the labeler's own cut points name, or NULL
    reason TEXT NOT NULL,
    query_text TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    PRIMARY KEY (query, document, labeler)
) WITHOUT ROWID;
"""
COLUMNS = "query, document, labeler, outcome, probabilities, named, reason"
PUT = f"""
INSERT INTO judgments ({COLUMNS}, query_text) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (query, document, labeler) DO UPDATE SET
    outcome = excluded.outcome, probabilities = excluded.probabilities, named = excluded.named,
    reason = excluded.reason, created = excluded.created
WHERE excluded.outcome <> 'failed' OR judgments.outcome = 'failed'
"""
READ_AT_ONCE = 200
ROOM = 1 << 16
"""Bytes that SQLite needs beside the data, for its write-ahead log's index."""
PATIENCE_SECONDS = 30
POLL_SECONDS = 0.5
"""Of a wait that has no end but Ctrl-C, which SQLite does not hear meanwhile."""
REMEDY = "free some space or name another folder; judgments written before this are kept"
DAMAGED = "move the file away: a new one is begun, and labels are bought again"


class Judgments:
    """Judgments in a SQLite file in WAL mode, written as they come.

    Use as a context manager. Every method raises StorageError if the file is damaged, locked by
    another process for more than 30 seconds, or the disk is full.
    """

    def __init__(self, path: Path):
        self.path = path
        with self.translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.database = sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)
            try:
                self.prepare()
            except BaseException:
                self.database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.database.close()

    def put(self, judged: Iterable[tuple[PairKey, Judgment]]) -> None:
        """Writes all of them or none. A judgment that is there already is replaced, but no failure
        takes the place of an answer: another process may have bought it since."""
        rows = [
            (
                digest(text),
                document,
                j.labeler,
                j.outcome,
                json.dumps(j.probabilities),
                j.named,
                storable(j.reason),
                storable(text),
            )
            for (text, document), j in judged
        ]
        with self.translated(), self.transaction():
            self.database.executemany(PUT, rows)

    def get(
        self, pairs: Iterable[Pair], labeler: str, *, people: bool = True
    ) -> dict[PairKey, Judgment]:
        """What is known of these pairs: people's grades where there are any, else this labeler's.

        Failures are left out, so that they are tried again; refusals are answers.

        Args:
            people: without it, people's grades are left aside.
        """
        known: dict[PairKey, Judgment] = {}
        votes: dict[PairKey, list[Judgment]] = {}
        for key, judgment in self.find({p.key for p in pairs}):
            if judgment.labeler.startswith(PERSON):
                votes.setdefault(key, []).append(judgment)
            elif judgment.labeler == labeler and judgment.outcome is not Outcome.FAILED:
                known[key] = judgment
        by_people = {key: one_voice(given) for key, given in votes.items()}
        return known | by_people if people else known

    def add_people(
        self, name: str, pairs: Iterable[Pair], grades: Mapping[str, Mapping[str, int]]
    ) -> int:
        """Stores a person's (or a qrels file's) grades, query id to document id to grade.

        Returns how many of them speak of one of the pairs; the others are not stored, since
        their document's content is unknown.
        """
        labeler = f"{PERSON}{name}"
        judged = [
            (p.key, Judgment.certain(labeler, grades[p.query.id][p.document.id]))
            for p in pairs
            if p.document.id in grades.get(p.query.id, {})
        ]
        self.put(judged)
        return len(judged)

    def count(self) -> int:
        with self.translated():
            return int(self.database.execute("SELECT count(*) FROM judgments").fetchone()[0])

    def find(self, keys: set[PairKey]) -> Iterator[tuple[PairKey, Judgment]]:
        wanted = sorted(keys)
        for start in range(0, len(wanted), READ_AT_ONCE):
            yield from self.find_some(wanted[start : start + READ_AT_ONCE])

    def find_some(self, keys: Sequence[PairKey]) -> Iterator[tuple[PairKey, Judgment]]:
        by_digest = {(digest(text), document): (text, document) for text, document in keys}
        places = ", ".join(["(?, ?)"] * len(by_digest))
        with self.translated():
            rows = self.database.execute(
                f"SELECT {COLUMNS} FROM judgments "
                f"WHERE (query, document) IN (VALUES {places}) ORDER BY query, document, labeler",
                [value for pair in by_digest for value in pair],
            ).fetchall()
        for query, document, labeler, outcome, probabilities, named, reason in rows:
            shares = tuple(json.loads(probabilities))
            judgment = Judgment(labeler, shares, Outcome(outcome), reason, named)
            yield by_digest[query, document], judgment

    @contextmanager
    def turn(self, labeler: str) -> Generator[None]:
        """Waits until no other command buys of this labeler: what one has asked for, and the store
        does not hold yet, the next would pay for once more.

        It locks an empty file beside the store, which is free again however a command ends.
        """
        path = self.path.with_name(f"{self.path.name}.{labeler[:12]}.turn")
        with self.translated():
            lock = sqlite3.connect(path, timeout=POLL_SECONDS, isolation_level=None)
        try:
            with self.translated():
                wait_for(lock)
            yield
        finally:
            lock.close()

    def prepare(self) -> None:
        self.write_ahead()
        self.database.execute("PRAGMA synchronous = NORMAL")
        self.check_version()
        self.database.executescript(SCHEMA)

    def write_ahead(self) -> None:
        """Waits for its turn, since SQLite does not where two processes make a new file at once."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.database.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def check_version(self) -> None:
        found = int(self.database.execute("PRAGMA user_version").fetchone()[0])
        if found > VERSION:
            raise StorageError(
                f"written by a newer relevance-eval: version {found}, and this one knows {VERSION}",
                where=str(self.path),
                remedy="upgrade relevance-eval, or name another folder",
            )
        self.database.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def transaction(self) -> Generator[None]:
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.database.execute("COMMIT")
        except BaseException:
            if self.database.in_transaction:  # SQLite has rolled back itself if the disk is full
                self.database.execute("ROLLBACK")
            raise

    @contextmanager
    def translated(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            what = f"the disk is full ({error})" if self.disk_full() else str(error)
            # Anything but OperationalError is about the file's contents: room would not help.
            damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(
                error, sqlite3.OperationalError
            )
            remedy = DAMAGED if damaged else REMEDY
            raise StorageError(what, where=str(self.path), remedy=remedy) from error

    def disk_full(self) -> bool:
        """SQLite calls a write-ahead log that finds no room a mere I/O error."""
        try:
            return shutil.disk_usage(self.path.parent).free < ROOM
        except OSError:
            return False


def wait_for(lock: sqlite3.Connection) -> None:
    told = False
    while True:
        try:
            lock.execute("BEGIN EXCLUSIVE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
        if not told:
            LOG.info("waiting for another command that buys of this labeler: no label twice")
            told = True


def one_voice(votes: Sequence[Judgment]) -> Judgment:
    return votes[0] if len(votes) == 1 else Judgment.shared(f"{PERSON}{len(votes)} people", votes)


def storable(text: str) -> str:
    """Half a character, which SQLite refuses, as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
