"""Parameters, as the notebook and its environment variables get them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from papermill.cli import _resolve_type

from argo_jupyter_scheduler.steps.notebook.parameters import for_environment, for_notebook, typed


@given(
    st.one_of(
        st.text(), st.integers().map(str), st.floats().map(str), st.sampled_from(["True", "None", "1_0"])
    )
)
def test_values_are_read_as_papermill_reads_them(text: str) -> None:
    assert repr(typed(text)) == repr(_resolve_type(text))


def test_slack_parameters_reach_no_notebook() -> None:
    given = {"SLACK_TOKEN": "xoxb", "SLACK_CHANNEL": "c", "n": "1"}
    assert for_notebook(given) == {"n": 1}
    assert for_environment(given) == {"n": "1"}
    assert for_notebook(None) == {}
