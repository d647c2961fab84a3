from __future__ import annotations

import pytest

from benchmarks.translation import Translation, resource_of


def learnt(ours: object, theirs: object, resource: str = "deployment", **options: bool) -> Translation:
    translation = Translation(**options)
    translation.learn(ours, theirs, resource)
    return translation


def test_learn__an_id_is_known_in_a_path_and_in_a_body():
    translation = learnt({"id": 7}, {"id": 9})
    assert translation.url("/api/v1/deployments/7?limit=7") == "/api/v1/deployments/9?limit=7"
    assert translation.body({"deployment_id": 7, "device_count": 7}) == {
        "deployment_id": 9,
        "device_count": 7,
    }


def test_learn__an_id_is_found_by_another_name_that_ends_in_id():
    translation = learnt({"id": 7}, {"id": 9}, "publish")
    assert translation.body({"publication_id": 7}) == {"publication_id": 9}


def test_learn__a_token_is_found_within_a_header():
    translation = learnt({"token": "our-long-token"}, {"token": "their-long-token"})
    assert translation.header("Bearer our-long-token") == "Bearer their-long-token"


def test_learn__what_is_alike_or_is_a_time_is_not_translated():
    translation = learnt(
        {"id": 7, "created_at_s": 1.5, "is_new": True}, {"id": 7, "created_at_s": 2.5, "is_new": False}
    )
    assert translation.learnt == 0
    assert translation.url("/deployments/7") == "/deployments/7"


@pytest.mark.parametrize(("by_position", "expected"), [(False, 12), (True, 11)])
def test_learn__items_of_lists_are_paired_by_what_they_say(by_position, expected):
    ours = {"items": [{"id": 1, "application": "a"}, {"id": 2, "application": "b"}]}
    theirs = {"items": [{"id": 11, "application": "b"}, {"id": 12, "application": "a"}]}
    translation = learnt(ours, theirs, by_position=by_position)
    assert translation.value("deployment_id", 1) == expected


def test_learn__a_later_reply_that_says_otherwise_is_counted():
    translation = learnt({"id": 7}, {"id": 9})
    translation.learn({"id": 7}, {"id": 10}, "deployment")
    assert (translation.learnt, translation.contradicted) == (1, 1)
    assert translation.value("deployment_id", 7) == 10


def test_resource_of__the_last_word_of_a_path():
    assert resource_of("/api/v1/deployments/17?x=1") == "deployment"
