"""What a query must pass, and that every screen counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from relevance_eval.evaluators.document import Document
from relevance_eval.exporters.queries.draft import Draft
from relevance_eval.exporters.queries.screens import Content, Screens, answered, copied, trigrams
from relevance_eval.exporters.queries.vocabulary import Vocabulary, words
from relevance_eval.exporters.settings import Kind, SynthesizeSettings

POLICY = Document(
    "policy",
    {
        "title": "Over-the-air firmware updates of meters",
        "file_name": "Over the air firmware updates of meters.pdf",
        "body": "A release goes out in four waves. The Office of Digital Services signs the sheet.",
    },
)
OTHERS = [Document(f"o{n}", {"body": f"the sheet of number {n}"}) for n in range(9)]


@pytest.fixture
def make_screens() -> Callable[..., Screens]:
    def make(**settings: float) -> Screens:
        return Screens(SynthesizeSettings(**settings), Vocabulary([POLICY, *OTHERS]))

    return make


def draft(text: str, kind: Kind = "topic", meant: str | None = None) -> Draft:
    return Draft(1, kind, text, meant)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" … ", "empty"),
        ("firmware " * 20, "too long"),
        ("firmware\nwaves", "control characters"),
        ("firmware\x1b[31m", "control characters"),
        ("half \ud800 firmware", "control characters"),
        ("firmware, with a word or two on the subject", "instruction"),
        ("over the air firmware updates of meters", "title copied"),
        ("Over-the-air FIRMWARE updates of meters!", "title copied"),
        ("pension contributions", "not answered"),
        ("how do I", "not answered"),
    ],
)
def test_a_query_of_no_use_is_dropped_and_counted(
    make_screens: Callable[..., Screens], text: str, reason: str
) -> None:
    screens = make_screens()
    assert screens.passed([draft(text), draft("release waves")], POLICY) == [draft("release waves")]
    assert screens.dropped == {reason: 1}


def test_of_two_that_are_alike_the_first_is_kept_whatever_the_document(
    make_screens: Callable[..., Screens],
) -> None:
    screens = make_screens()
    first, again = draft("firmware release waves"), draft("Firmware release, waves")
    assert screens.passed([first, draft("firmware waves")], POLICY)[0] == first
    assert screens.passed([again], POLICY) == []
    assert screens.dropped == {"repeated": 1}


def test_how_like_two_queries_may_be_is_a_setting(make_screens: Callable[..., Screens]) -> None:
    pair = [draft("firmware release waves"), draft("firmware release wave")]
    ours, theirs = (trigrams(d.text) for d in pair)
    likeness = len(ours & theirs) / len(ours | theirs)
    assert len(make_screens(near_duplicate=likeness).passed(pair, POLICY)) == 1
    assert len(make_screens(near_duplicate=likeness + 0.01).passed(pair, POLICY)) == 2


def test_a_typing_error_is_judged_by_what_was_meant(make_screens: Callable[..., Screens]) -> None:
    typo = draft("fimrware wavess", "typo", meant="firmware waves")
    assert make_screens(answered=1.0).passed([typo], POLICY) == [typo]
    copy = draft("over the air frimware updates of meters", "typo", meant=POLICY.fields["title"])
    assert make_screens().passed([copy], POLICY) == []


def test_a_files_name_may_be_its_title(make_screens: Callable[..., Screens]) -> None:
    name = draft("over the air firmware updates of meters", "file_name")
    assert make_screens().passed([name], POLICY) == [name]


def test_the_share_answered_is_by_weight() -> None:
    vocabulary = Vocabulary([POLICY, *OTHERS])
    content = Content.of(POLICY)
    assert answered("firmware wave", content, vocabulary) == 1
    held, unknown = vocabulary.weight("sheet"), vocabulary.weight("pension")
    share = answered("the pension sheet", content, vocabulary)
    assert share == pytest.approx(held / (held + unknown))
    assert share < 0.3
    assert answered("ods firmware", content, vocabulary) == 1


def test_a_script_without_spaces_is_looked_for_in_the_text() -> None:
    document = Document("d", {"body": "来週の会議は東京で行われます"})
    content, vocabulary = Content.of(document), Vocabulary([document])
    assert answered("東京", content, vocabulary) == 1
    assert answered("大阪", content, vocabulary) == 0


def test_the_screen_can_be_put_off(make_screens: Callable[..., Screens]) -> None:
    unknown = draft("pension contributions")
    assert make_screens(answered=0).passed([unknown], POLICY) == [unknown]


@pytest.mark.parametrize(
    ("query", "title", "share"),
    [
        ("vpn setup", "vpn setup", 1),
        ("setup vpn", "vpn setup", 0.5),
        ("vpn setup on a mac", "vpn setup", 4 / 7),
        ("firmware meters", "firmware updates of meters", 4 / 6),
        ("", "vpn", 0),
        ("vpn", "", 0),
    ],
)
def test_a_copy_has_the_titles_words_in_their_order(query: str, title: str, share: float) -> None:
    assert copied(words(query), words(title)) == pytest.approx(share)
