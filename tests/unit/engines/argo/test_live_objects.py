"""The three-way merge of live objects."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from argo_jupyter_scheduler.engines.argo.live_objects import apply_change

THINGS = st.recursive(
    st.integers(0, 3) | st.sampled_from(["x", "y"]),
    lambda inner: (
        st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
        | st.lists(inner, max_size=2)
        | st.lists(
            st.builds(lambda name, value: {"name": name, "value": value}, st.sampled_from("klm"), inner),
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(before=THINGS, wanted=THINGS, live=THINGS)
def test_a_live_object_gets_what_was_changed(before: Any, wanted: Any, live: Any) -> None:
    assert apply_change(before, before, wanted) == wanted
    assert apply_change(before, live, before) == live


def test_what_others_added_stays() -> None:
    before = {"a": 1, "list": [{"name": "x", "v": 1}, {"name": "y"}], "gone": 1}
    wanted = {"a": 2, "list": [{"name": "x", "v": 2}], "new": {"n": 1}}
    live = {
        "a": 1,
        "list": [{"name": "x", "v": 1, "w": 3}, {"name": "y"}, {"name": "z"}],
        "gone": 1,
        "theirs": 1,
    }
    assert apply_change(before, live, wanted) == {
        "a": 2,
        "list": [{"name": "x", "v": 2, "w": 3}, {"name": "z"}],
        "new": {"n": 1},
        "theirs": 1,
    }
