"""The trait for the folder of outputs outside the staging area."""

from __future__ import annotations

from traitlets import HasTraits, TraitError, Unicode

from argo_jupyter_scheduler.domain.errors import InvalidJob
from argo_jupyter_scheduler.domain.output_template import parse_output_templates


class OutputTraits(HasTraits):
    """Folders of outputs, for `ArgoScheduler`."""

    output_directory_template = Unicode(
        config=True,
        help="""Folder for the outputs of runs, unless a job has the option `output`. It is within the root folder, such
        as `reports/{name}/{date}`, or in an object store, such as `s3://bucket/{name}`. Placeholders: `{name}`, `{date}`, `{time}`,
        `{job_id}`, `{definition}` and `{status}`. Several folders
        are separated by commas. Empty: outputs stay in the staging area until somebody downloads them.""",
    )

    def output_template(self) -> str:
        """Return the template, as configured.

        Raises
        ------
        TraitError
            It is not a folder, or has another placeholder.
        """
        text = self.output_directory_template.strip()
        if text:
            try:
                for template in parse_output_templates(text):
                    template.check(())
            except InvalidJob as error:
                reason = str(error).removeprefix("Option output: ")
                raise TraitError(f"output_directory_template: {reason}") from error
        return text
