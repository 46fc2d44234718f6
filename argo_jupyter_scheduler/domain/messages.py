"""The sentences that a job's row, the dialog or a log can show.

Write what happened, why, and what to do, in that order.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping

from argo_jupyter_scheduler.domain.text import MESSAGE_LENGTH, format_limit, nearest_names, one_line, shorten

# Runs and their ends

PAUSED = "The job definition was paused before this run began."
REPLACED = (
    "The next run of this schedule began while this one was still in progress, and replaced it. If runs take longer than the "
    "interval, none completes: give the job definition the tag concurrency:forbid or concurrency:allow, or a longer interval."
)
STILL_WAITING = " It was still waiting: "
"""Joins why a run that had not begun was ended, and why it had not begun."""
WAITED = f"{REPLACED}{STILL_WAITING}"
DEFINITION_DELETED = "The job definition was deleted while this run was in progress."
STOPPED_IN_ARGO = "The run was stopped in Argo before it had finished."
NO_REASON = "The run ended without giving a reason."
OTHER_BACKEND = "The job was started by another backend, which is not there any more. Create the job again."
WORKFLOW_GONE = (
    "The workflow of this run no longer exists in Argo: it was deleted before the notebook had finished."
)
POD_SHAPE_UNKNOWN = (
    "The shape of the pods is unknown, so nothing can run on Argo. Either set c.ArgoScheduler.image to an image that has "
    "argo-jupyter-scheduler, with c.ArgoScheduler.volumes and c.ArgoScheduler.volume_mounts for the home. Or give this "
    "server's pod a service account that may get pods, so that runs inherit from it (c.ArgoScheduler.inherit_pod)."
)
PROCESS_GONE = (
    "The run's process is gone: it was killed, or this machine was restarted, before it had finished."
)
INTERACTIVE_OUTPUT = "[Interactive output: see the HTML]"
POD_LOST = "The pod that executed the notebook was lost before it had finished."
FOLDER_GONE = (
    "The run's folder in the staging area was deleted before the notebook had finished. Run it again."
)
TERMINATED = "The run was ended from outside before it had finished (SIGTERM)."
STOPPED_WHILE_RUNNING = "The job was stopped or deleted while it ran."
NO_OUTPUT_FORMAT = "No output format is chosen. Choose at least one, such as Notebook or HTML."
NO_EMAIL = (
    "email_notifications cannot be honoured: addresses are not part of a job here. Leave it out, and use the option notify with "
    "the name of a target, such as notify:team."
)
NO_RETRY_ON_TIMEOUT = (
    "retry_on_timeout cannot be honoured, since timeout_seconds limits all attempts together. Leave it out, or allow "
    "more time."
)
MOMENT_GIVEN_TWICE = (
    "scheduled_time is given twice: as a parameter, and as the moment of the run. Leave one of them out."
)
SLACK_NOT_CONFIGURED = (
    "A channel of Slack is configured, but no token: only jobs with a SLACK_TOKEN of their own send messages there. Set "
    "c.ArgoScheduler.slack_token, or on Argo c.ArgoScheduler.slack_token_secret."
)


def input_gone(name: str) -> str:
    """Return the message for a definition whose staged input is missing."""
    return (
        f"The job definition's input '{name}' is no longer in the staging area. "
        "Edit the job definition and update its input file snapshot."
    )


def job_not_found(job_id: str) -> str:
    """Return the message for an unknown job."""
    return f"Job {shorten(job_id, 80)} not found."


def job_not_deleted(job_id: str, reason: str) -> str:
    """Return the message for a job that is no longer kept, and could not be deleted."""
    return f"Job {job_id} is no longer kept, but could not be deleted. It is tried again in an hour. {reason}"


def definition_not_found(job_definition_id: str) -> str:
    """Return the message for an unknown job definition."""
    return f"Job definition {shorten(job_definition_id, 80)} not found."


def job_keeps(field: str) -> str:
    """Return the message for a change of a job's option: its run has begun with the old one."""
    return f"{field} of a job cannot be changed. Create the job again."


def compute_type_gone(name: str, available: str) -> str:
    """Return the message for a run whose compute type was removed from the configuration."""
    return f"Compute type '{name}' no longer exists. Available: {available}."


def timed_out(seconds: int | None, cell: int = 0) -> str:
    """Return the message for a run whose time is over.

    Parameters
    ----------
    seconds
        How long its option ``timeout`` allows; None where the administrator's limit holds.
    cell
        The cell that was being executed, from 1; 0 for none.
    """
    option = f"{format_limit(seconds)}, the limit that its option timeout sets" if seconds else ""
    where = f" It was executing cell {cell}." if cell else ""
    return f"The run took longer than {option or 'your administrator allows'}.{where}"


def unexpected_error(error: Exception) -> str:
    """Return the message for an error that no other message explains, such as one of the system."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while {error.filename} was written" if error.filename else ""
        return f"The disk is full{where}. Delete files that you do not need, such as old jobs, then run the job again."
    return f"{type(error).__name__}: {str(error).strip()}"


def formats_failed(errors: Mapping[str, Exception]) -> str:
    """Return the message for formats that could not be made; `errors` has the reason of each."""
    reasons = dict.fromkeys(shorten(unexpected_error(error), 300) for error in errors.values())
    return (
        f"The notebook was executed, but could not be converted to {', '.join(errors)}. {' '.join(reasons)}"
    )


def after_attempts(message: str, attempts: int) -> str:
    """Return the message for a run that failed although it was tried again; an empty one stays empty."""
    note = f" (after {attempts} attempts)"
    return shorten(message, MESSAGE_LENGTH - len(note)) + note if message and attempts > 1 else message


def lies_beside(name: str) -> str:
    """Return what to add to the failure of a notebook that misses a module or a file which the run did not get."""
    return f" {name} is beside the notebook: tick *Run job with input folder*."


def kernel_replaced(named: str, used: str) -> str:
    """Return the message for a notebook that names a kernel which is not installed."""
    return f"The notebook names kernel '{named}', which is not installed: it is executed with '{used}'."


def kernel_refused(named: str, used: str) -> str:
    """Return the message for a job whose kernel would be replaced, where the configuration refuses that."""
    return (
        f"The notebook names kernel '{named}', which is not installed. Install it, pick another environment, or open the "
        f"notebook and select a kernel such as '{used}'."
    )


def no_output_template(template: str) -> str:
    """Return the message for a request that names outputs otherwise than the panel."""
    return f"output_filename_template cannot be honoured: outputs are named {template}. Leave it out."


def unusable_notebook(name: str, reason: object) -> str:
    """Return the message for an input that is damaged beyond repair."""
    return f"'{name}' cannot be executed: {reason}"


def cell_place(cell: int, execution_count: int | None) -> str:
    """Return which cell of the user's notebook failed; 0 is the one that sets the parameters."""
    if not cell:
        return "(in the cell that sets the parameters)"
    return f"(cell {cell}, In [{execution_count}])" if execution_count else f"(cell {cell})"


def kernel_silent(printed: str, place: str) -> str:
    """Return the message for a kernel that stopped without a reply; `printed` is what the cell printed last."""
    return f"{printed or 'The kernel stopped without a reply.'} {place}"


def input_requested(place: str) -> str:
    """Return the message for a cell that calls ``input()`` or ``getpass()``."""
    return f"The notebook asks for input, but nobody can answer in a scheduled run. Use a parameter instead. {place}"


def kernel_ended(how: str, cell: int, kernel: str) -> str:
    """Return the message for a dead kernel.

    Parameters
    ----------
    how
        Such as "was killed (SIGKILL)".
    cell
        The cell that it executed, from 1; 0 before the first.
    kernel
        Its name and its environment.
    """
    return f"The kernel {how} in cell {cell}." if cell else f"The kernel {how} while it started ({kernel})."


def out_of_memory(limit: str, cell: int, kernel: str) -> str:
    """Return the message for a kernel that the system killed for its memory; `limit` may be empty."""
    how = f"ran out of memory (limit {limit})" if limit else "ran out of memory"
    return kernel_ended(how, cell, kernel)


def memory_is_limited(compute_type: str, size: str) -> str:
    """Return what to add to a kernel's death where a compute type limits its memory."""
    return f" It may need more memory: compute type {compute_type} allows {size}."


def picture_placeholder(name: str) -> str:
    """Return what an output shows instead of a picture."""
    return f"[Picture not shown: {name}]"


def picture_missing(where: str, name: str, is_attachment: bool, is_missing: bool) -> str:
    """Return the log's warning for a picture that an output cannot show.

    Parameters
    ----------
    where
        Such as "Cell 3".
    name
        The picture's name.
    is_attachment
        Whether it should be an attachment of that cell, instead of a file.
    is_missing
        Whether it is missing or damaged; else the format cannot show pictures of its type.
    """
    if not is_missing:
        return f"{where}: the picture '{name}' is of a type that this format cannot show."
    if is_attachment:
        return f"{where}: the attachment '{name}' is missing or damaged. Attach the picture again."
    return (
        f"{where}: the picture '{name}' was not found beside the notebook, or is too large. "
        "If it is in the notebook's folder, tick Run job with input folder."
    )


def pictures_left_out(output_format: str) -> str:
    """Return the log's warning for a format that could be made only without the notebook's pictures."""
    return f"Format {output_format} has no pictures of Markdown cells: one of them is damaged."


def chart_left_out(types: str, error: Exception) -> str:
    """Return the log's warning for an output that does not contain what its type promises."""
    return f"An output of type {types} is damaged and not in the HTML: {type(error).__name__}: {error}"


# Jobs and their inputs


def notebook_ambiguous(name: str, found: Iterable[str]) -> str:
    """Return the message for a job that is made from jobs of several notebooks."""
    return (
        f"There are jobs of several notebooks '{name}': {', '.join(found)}. Create this job from its "
        "notebook."
    )


def input_outside_root(path: str) -> str:
    """Return the message for an input outside the root folder."""
    return f"Input path '{path}' is outside the root folder of this Jupyter server."


def input_not_found(path: str) -> str:
    """Return the message for an input that does not exist."""
    return f"Input path '{path}' does not exist."


def not_a_plain_name(name: str) -> str:
    """Return the message for an ``input_filename`` with a folder."""
    return f"'{name[:80]}' is not a plain file name. Give input_filename without a folder."


def filename_too_long(length: int, limit: int) -> str:
    """Return the message for an ``input_filename`` that no file system takes."""
    return f"input_filename has {length} bytes; a file name can have {limit}."


def metadata_damaged(key: str) -> str:
    """Return the message for a notebook whose metadata has a value instead of an object."""
    return f"The notebook is damaged: its {key} is not an object."


def not_executable(name: str) -> str:
    """Return the message for an input that the execution manager refuses."""
    return f"'{name}' is not a notebook that can be executed."


FILENAME_NOT_VALID = "input_filename contains characters that are not valid in a file name."


def not_found(subject: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that does not exist."""
    return f"{subject} '{name[:80]}' not found. Available: {nearest_names(name, known)}."


def parameter_name_not_valid(name: str) -> str:
    """Return the message for a parameter whose name cannot be a name."""
    return f"'{name[:80]}' is not a valid parameter name."


def parameter_name_not_plain(name: str) -> str:
    """Return the message for a parameter whose name the notebook's language refuses."""
    return f"'{name[:80]}' is not a valid parameter name. Use letters, digits and underscores."


def parameter_has_nul(name: str) -> str:
    """Return the message for a parameter with a NUL character."""
    return f"The value of parameter '{name}' contains a NUL character."


def parameter_misspelt(name: str, near: str, declared: Iterable[str]) -> str:
    """Return the message for a parameter that the notebook does not have."""
    return f"The notebook has no parameter '{name}'. Did you mean '{near}'? Available: {', '.join(sorted(declared))}."


def not_a_notebook(name: str, reason: object) -> str:
    """Return the message for an input that cannot be read."""
    return f"'{name}' is not a notebook that can be executed: {reason}"


def too_long(subject: str, length: int, limit: int) -> str:
    """Return the message for a text with too many characters."""
    return f"The {subject} has {length} characters. Use at most {limit}."


def too_many(count: int, subject: str, limit: int) -> str:
    """Return the message for a list with too many entries."""
    return f"There are {count} {subject}. Use at most {limit}."


def entries_too_long(subject: str, length: int, limit: int) -> str:
    """Return the message for a list whose entries are too long together."""
    return f"The {subject} have {length} characters. Use at most {limit}."


def environment_folder_gone(name: str, prefix: str) -> str:
    """Return the message for an environment whose folder is gone."""
    return f"Environment '{name}' no longer exists: there is no folder {prefix}."


def has_nul(subject: str) -> str:
    """Return the message for a text with a NUL character, which PostgreSQL refuses."""
    return f"The {subject} contains a NUL character."


def not_unicode(subject: str) -> str:
    """Return the message for a text with half a surrogate pair."""
    return f"The {subject} contains characters that are not valid Unicode."


# Options


def timeout_out_of_range(value: str) -> str:
    """Return the message for an option ``timeout`` of no or too much time."""
    return f"Option timeout: '{value}' must be more than 0 and at most a year."


def retry_interval_too_long(value: str) -> str:
    """Return the message for an option ``retry_interval`` of more than a day."""
    return f"Option retry_interval: '{value}' must be at most a day."


def late_too_long(value: str) -> str:
    """Return the message for an option ``late`` of more than 30 days."""
    return f"Option late: '{value}' must be at most 30 days."


def not_a_duration(name: str, value: str) -> str:
    """Return the message for an option that is not a duration."""
    return (
        f"Option {name}: '{value}' is not a duration. Write 45s, 30m, 2h, 1h30m, 1d or a number of seconds."
    )


def not_kept_so(value: str) -> str:
    """Return the message for an option ``keep`` that is neither a number nor a time, or out of range."""
    return (
        f"Option keep: '{value}' is not valid. Write a number of runs, such as 20, or a time of at least an hour, such as "
        "12h, 30d or 4w."
    )


def retries_out_of_range(value: str, limit: int) -> str:
    """Return the message for an option ``retries`` that is not such a number."""
    return f"Option retries: '{value}' must be a whole number from 0 to {limit}."


def not_an_image(value: str) -> str:
    """Return the message for an option ``image`` that is not the name of an image."""
    return (
        f"Option image: '{value}' is not the name of an image, such as "
        "'quay.io/jupyter/scipy-notebook:2025-10-20'."
    )


def not_a_concurrency_policy(value: str, policies: str) -> str:
    """Return the message for an option ``concurrency`` that is not a policy."""
    return f"Option concurrency: '{value}' is not a policy. Available: {policies}."


NOTIFY_ADDRESS = (
    "Option notify: addresses are not accepted, since everybody who sees the job could read them. Ask your administrator to "
    "configure a target, then give its name, such as notify:team."
)
NO_TARGETS = (
    "Option notify: this server has no notification targets. Ask your administrator to set "
    "c.ArgoScheduler.notification_targets, or on Argo c.ArgoScheduler.notification_secrets."
)
NOTIFY_TARGET_MISSING = (
    "Option notify_on has no effect without a target. Add the option notify, such as notify:team."
)


def not_targets(value: str) -> str:
    """Return the message for an option ``notify`` that is not a list of names."""
    return f"Option notify: '{value}' does not name targets. Write up to ten names, such as notify:team or notify:team,ops."


def not_an_occasion(value: str, known: Iterable[str]) -> str:
    """Return the message for an option ``notify_on`` with another value."""
    return f"Option notify_on: '{value}' is not valid. Available: {', '.join(known)}."


ROOT_UNKNOWN = (
    "The root folder is unknown, since an earlier version of this package created the job. Create it again."
)
ROOT_NOT_MOUNTED = "the pods do not mount the root folder. Run jupyter argo-scheduler doctor."
OUTPUT_OUTSIDE_ROOT = "it leads out of the root folder, or into the staging area."
OUTPUT_EMPTY = (
    "Option output: the folder is empty. Write one within the root folder, such as output:reports/{name}."
)
OUTPUT_CONTROL_CHARACTERS = "Option output: the folder contains control characters. Remove them."
OUTPUT_CREDENTIALS = (
    "Option output: an address must not contain credentials, since everybody who sees the job could read them. Leave them out: "
    "runs take them from their environment or service account."
)


def output_length(limit: int) -> str:
    """Return the message for an option ``output`` that is too long."""
    return f"Option output: the folder has too many characters. Use at most {limit}."


def output_not_relative(value: str) -> str:
    """Return the message for an option ``output`` that is not a path within the root folder."""
    return f"Option output: '{value}' is not a path within the root folder. Write one with /, such as output:reports/{{name}}."


def output_folder_hidden(name: str) -> str:
    """Return the message for an option ``output`` with a folder that leads up, or is hidden."""
    return f"Option output: the folder '{name}' begins with a dot, so it leads up or is hidden. Choose another name."


def output_folder_long(limit: int) -> str:
    """Return the message for an option ``output`` with a folder whose name is too long."""
    return f"Option output: the name of a folder is too long. Use at most {limit} bytes."


def output_brace(name: str) -> str:
    """Return the message for an option ``output`` with a brace that has no partner."""
    return f"Option output: '{name}' has a brace without a partner. Write placeholders as {{name}}."


def placeholder_not_found(name: str, known: Iterable[str]) -> str:
    """Return the message for an option ``output`` with a placeholder that no run can fill."""
    return f"Option output: placeholder '{{{name[:80]}}}' not found. Available: {nearest_names(name, known)}."


def store_not_found(protocol: str, known: Iterable[str]) -> str:
    """Return the message for an option ``output`` with the address of something else than an object store."""
    addresses = ", ".join(f"{name}://" for name in known)
    return f"Option output: '{protocol}://' is not an object store. Available: {addresses}."


def bucket_not_valid(bucket: str, protocol: str) -> str:
    """Return the message for an option ``output`` with a name that no bucket has."""
    return f"Option output: '{bucket}' is not the name of a bucket. Write {protocol}://bucket/folder, without placeholders in it."


def store_not_installed(protocol: str, extra: str) -> str:
    """Return the message for an object store whose package is missing."""
    return (
        f"Outputs cannot be written to {protocol}://, since a package is missing. "
        f"Install it where runs are executed: pip install 'argo-jupyter-scheduler[{extra}]'."
    )


def output_not_writable(folder: str, reason: str) -> str:
    """Return the message for a folder of outputs that cannot be written."""
    return f"Outputs cannot be written to '{folder}': {reason.removesuffix('.')}. Choose another folder."


def output_occupied(path: str) -> str:
    """Return the message for an output whose name a file has that this package did not write."""
    return f"'{path}' exists and was not written by a run, so it is not overwritten. Move it, or choose another folder."


def outputs_not_delivered(place: str, reason: str) -> str:
    """Return the message for a run whose notebook was executed, but whose outputs are not where they should be."""
    return (
        f"The outputs could not be written to {place}: {reason.removesuffix('.')}. The panel still has them."
    )


def input_not_chosen(value: str, known: Iterable[str]) -> str:
    """Return the message for an option ``input`` with another value."""
    return f"Option input: '{value}' is not valid. Available: {', '.join(known)}."


def linked_input_unknown(name: str) -> str:
    """Return the message for a linked notebook of which nobody knows where it is."""
    return f"Option input: where '{name}' is in the root folder is unknown. Choose the notebook again."


def linked_input_not_found(path: str, near: Iterable[str]) -> str:
    """Return the message for a linked notebook that is missing when the job is created."""
    return (
        f"Option input: the linked notebook '{path}' does not exist. Available: {nearest_names(path, near)}."
    )


def linked_input_gone(path: str) -> str:
    """Return the message for a linked notebook that is missing when the run begins."""
    return f"The linked notebook '{path}' does not exist. Move it back, or choose another input."


def linked_input_unusable(path: str, reason: object) -> str:
    """Return the message for a linked notebook that cannot be read when the run begins."""
    return f"The linked notebook '{path}' cannot be executed: {reason}"


def linked_file_changing(path: str) -> str:
    """Return the message for a linked file that somebody keeps writing while it is copied."""
    return f"'{path}' kept changing while it was copied. Run it again when nobody writes the file."


def option_given_twice(name: str, first: str, second: str) -> str:
    """Return the message for an option with two values."""
    return f"Option {name} is given twice: {first} and {second}."


def field_not_a_number(field: str, value: str) -> str:
    """Return the message for a field of the API that must be a number."""
    return f"{field}: '{value}' is not a whole number of 0 or more."


BODY_NOT_AN_OBJECT = 'The request\'s body is not a JSON object. Send the fields as {"name": value}.'


def field_not_valid(field: str, reason: str) -> str:
    """Return the message for a field or an argument of the API that has another type, or is missing."""
    return f"{field}: {reason}."


NO_YAML_ALIASES = "aliases are not supported. Write the value itself"
NO_YAML_TAGS = "tags such as !!int are not supported. Write the value itself"
NOT_A_DEFINITION = "this is not a job definition. Write keys and values, such as name: Daily report"
KEY_NOT_TEXT = "the key is not text. Put it in quotes"
OPTION_VALUE = "write text, a whole number, or a list of names"
NO_SECRETS_IN_FILES = (
    "SLACK_TOKEN does not belong in a file. Set it on the server, or in JupyterLab: apply keeps it."
)
NOTEBOOK_NOT_RELATIVE = "notebook is not a relative path. Write it relative to the file."
NO_DEFINITIONS = "There are no job definitions in the files, so nothing is changed. Check their paths."


def not_yaml(reason: str) -> str:
    """Return the message for a file that is not valid YAML."""
    return f"The YAML is not valid: {reason.rstrip('.')}."


def key_given_twice(key: str) -> str:
    """Return what is wrong with a mapping that has a key twice."""
    return f"the key '{key[:80]}' is given twice. Leave one out"


def key_missing(key: str) -> str:
    """Return the message for a job definition in a file that lacks a key."""
    return f"The key '{key}' is missing. Add it."


def defined_twice(name: str, place: str) -> str:
    """Return the message for a job definition whose name another document has."""
    return f"'{name[:80]}' is also defined in {place}. Rename one of them."


def name_ambiguous(name: str, ids: Iterable[str]) -> str:
    """Return the message for a name that several stored job definitions have."""
    return (
        f"Several job definitions are called '{name[:80]}': {', '.join(ids)}. Rename or delete all but one."
    )


def applied_from_elsewhere(name: str, origin: str) -> str:
    """Return the message for a job definition that was applied under another origin."""
    return f"'{name[:80]}' was applied with --origin {origin}. Use that origin, or another name."


def tag_reserved(tag: str) -> str:
    """Return the message for a tag that only `apply` gives."""
    return f"The tag '{tag[:80]}' is reserved: apply adds it. Leave it out."


def not_exported(job_definition_id: str, reason: str) -> str:
    """Return the message for a job definition of another backend that no document can have."""
    return f"Job definition {job_definition_id} cannot be exported: {one_line(reason)}."


def not_an_origin(text: str) -> str:
    """Return the message for a text that cannot be an origin of job definitions."""
    return f"'{text[:80]}' is not a valid origin. Use up to 63 small letters, digits, hyphens and dots."


def timeout_too_long(seconds: int, limit: int) -> str:
    """Return the message for an option ``timeout`` beyond the administrator's limit."""
    return f"Option timeout: {seconds} s is too long. A run may take {limit} s here."


def image_not_allowed(image: str, allowed: str) -> str:
    """Return the message for an image that is not among the allowed ones."""
    return f"Option image: '{image}' is not allowed here. Allowed: {allowed}."


def option_not_found(name: str, hint: str) -> str:
    """Return the message for an option that does not exist."""
    return f"Option '{name}' not found. {hint}"


# Schedules


def schedule_never_comes(schedule: str) -> str:
    """Return the message for a schedule of a day that no month has."""
    return f"The schedule '{schedule}' never comes: no month has that day. Choose another day."


def not_a_moment(text: str) -> str:
    """Return the message for a text that is not a moment."""
    return f"'{shorten(text, 80)}' is not a moment. Write it in ISO 8601, such as 2026-03-02 or 2026-03-02T06:00+01:00."


def moment_skipped(text: str, zone: str) -> str:
    """Return the message for a moment that no clock of its time zone shows, since clocks go forward then."""
    return f"{text} does not exist in {zone}: clocks skip it. Choose another moment, or add an offset such as +01:00."


def timezone_not_found(zone: str, known: Iterable[str]) -> str:
    """Return the message for a time zone that does not exist."""
    return f"Time zone '{zone[:80]}' not found. Did you mean {nearest_names(zone, known)}?"


SCHEDULE_EMPTY = "The schedule is empty. Write five fields, such as '0 6 * * *' for every day at 6:00."


def schedule_not_valid(schedule: str, known: str) -> str:
    """Return the message for a schedule that begins with @ and is not known."""
    return (
        f"The schedule '{schedule}' is not valid. Write five fields, or one of {known}, without a "
        "space before or after."
    )


def schedule_has_fields(schedule: str, fields: int) -> str:
    """Return the message for a schedule without five fields."""
    return (
        f"The schedule '{schedule}' has {fields} fields. Write five: minute, hour, day of month, "
        "month and day of week, without seconds."
    )


def every_not_valid(duration: str) -> str:
    """Return the message for an ``@every`` without a duration."""
    return f"'@every {duration}' is not valid. Write a duration such as 1h30m, at most 292 years."


# Input folders


def input_folder_has_files(name: str, limit: int, ignore_file: str) -> str:
    """Return the message for an input folder with too many files."""
    return (
        f"The input folder '{name}' has more than {limit} files. Move the notebook to a folder of its "
        f"own, or name what is not needed in a file {ignore_file}."
    )


def input_folder_is_large(name: str, megabytes: float, ignore_file: str) -> str:
    """Return the message for an input folder that is too large."""
    return (
        f"The input folder '{name}' has more than {megabytes:.0f} MB. Move the notebook to a folder "
        f"of its own, or name what is not needed in a file {ignore_file}."
    )


def copying_input_folder(files: int, all_files: int, megabytes: float, all_megabytes: float) -> str:
    """Return the message for an input folder that takes long to copy."""
    return (
        f"The input folder is being copied: {files} of {all_files} files, "
        f"{megabytes:.0f} of {all_megabytes:.0f} MB."
    )


# Slack


def not_a_channel(channel: str) -> str:
    """Return the message for a channel of Slack that cannot be one."""
    return f"SLACK_CHANNEL '{channel}' is not a channel. Give its name, its id or its link."


SLACK_CREDENTIAL_NOT_VALID = (
    "SLACK_TOKEN contains characters that a token of Slack cannot have, such as a space. Copy it again."
)


def slack_notify_not_valid(given: str, known: Iterable[str]) -> str:
    """Return the message for an occasion for messages that does not exist."""
    return f"SLACK_NOTIFY '{given}' is not valid. Available: {', '.join(known)}."


SLACK_CHANNEL_MISSING = "The message to Slack has no channel. Add the parameter SLACK_CHANNEL, such as #team."


SLACK_CREDENTIAL_MISSING = (
    "SLACK_CHANNEL is given, but there is no token. Add the parameter SLACK_TOKEN, or ask your "
    "administrator to configure one for all: c.ArgoScheduler.slack_token on this machine, "
    "c.ArgoScheduler.slack_token_secret on Argo."
)


def slack_parameter_not_found(name: str, known: Iterable[str]) -> str:
    """Return the message for a parameter with the names that Slack's have."""
    return (
        f"Parameter '{name}' not found. Names that begin with SLACK_ are reserved for messages to "
        f"Slack. Available: {', '.join(known)}."
    )


def slack_parameter_misspelt(name: str, meant: str) -> str:
    """Return the message for a parameter of Slack in other letters."""
    return f"Parameter '{name}' not found. Its name is {meant}."


def slack_token_misplaced(name: str) -> str:
    """Return the message for a token of Slack in another parameter."""
    return (
        f"Parameter '{name}' is a token of Slack, and everybody could read it in the notebook. Give "
        "it as SLACK_TOKEN, which the notebook does not get."
    )


def runs_failed(count: int) -> str:
    """Return what a message adds to the failure of a run whose definition has failed several times in a row."""
    return f"The last {count} runs of this job definition have failed."


# Notifications


def message_not_sent(receiver: str, reason: object) -> str:
    """Return the note on a message that could not be sent to Slack, or to a target."""
    return f"No message was sent to {receiver}: {reason}"


def file_not_attached(name: str, megabytes: float, limit: float) -> str:
    """Return what a notification says of a file that is too large for it."""
    return f"{name} is not attached: it has {megabytes:.3g} MB, and the limit is {limit:g} MB."


TARGET_WITHOUT_ADDRESS = (
    "its address was not found. Check notification_targets, or on Argo the Secret in notification_secrets."
)
TARGET_REFUSED = "the service refused it without a reason."
TARGET_ADDRESS_UNKNOWN = "Apprise does not understand its address. See jupyter argo-scheduler doctor."


# Late runs

NO_RUN = (
    "There is no job for it. On Argo, its controller may be down, or the cron workflow suspended. On this machine, "
    "JupyterLab may have been off."
)
REPLACED_EARLY = "The next run replaced it before it could start."


def run_is_late(name: str, due: str, grace: str, reason: str) -> str:
    """Return the log's warning for a scheduled run that did not begin within its definition's grace."""
    return f"Job definition '{name}': the run that was due at {due} did not start within {grace}. {reason}"


def started_late(elapsed: str) -> str:
    """Return what is known of a run that began after its grace."""
    return f"It started {elapsed} after its scheduled time."


def failed_early(reason: str) -> str:
    """Return what is known of a run that failed before it could begin."""
    return f"It failed before it could start: {reason}"


def is_still_waiting(reason: str) -> str:
    """Return what is known of a run that has not begun; `reason` is the engine's, and may be empty."""
    return f"It is still waiting: {reason}" if reason else "It is still waiting for its turn."


# Environments and kernels


def environment_not_found(name: str, offered: Iterable[str], troubles: str) -> str:
    """Return the message for an environment that is not offered; `troubles` may be empty."""
    return f"Environment '{name[:80]}' not found. Available: {nearest_names(name, offered)}.{troubles}"


def kernel_of_other_language(language: str, kernel: str, runs: str) -> str:
    """Return the message for a kernel that does not run the notebook's language."""
    return (
        f"The notebook is written in {language}, but kernel '{kernel}' runs {runs}. Pick an "
        f"environment that has a kernel for {language}."
    )


def kernel_program_gone(kernel: str, program: str) -> str:
    """Return the message for a kernel whose program is gone."""
    return f"Kernel '{kernel}' cannot start: {program} does not exist."


def environment_ambiguous(name: str, prefixes: Iterable[str]) -> str:
    """Return the message for a name that several environments have."""
    return f"Environment '{name}' is ambiguous: it is {' and '.join(prefixes)}."


def papermill_failed(code: int, line: str) -> str:
    """Return the message for papermill's own failure in the chosen environment."""
    return f"papermill failed in the environment (exit code {code}): {line}"


def no_environment(manager: str) -> str:
    """Return the message for an environment manager that offers nothing."""
    return f"{manager} offers no environment."


# Argo and Kubernetes

NOT_IN_A_POD = "This server is not in a pod (KUBERNETES_SERVICE_HOST is not set)."


def service_account_missing(error: Exception) -> str:
    """Return the message for a pod without a usable service account."""
    return (
        f"This server's pod does not have a service account ({error}). In Zero to JupyterHub, set "
        "singleuser.serviceAccountName."
    )


def kubernetes_unreachable(address: str, cause: str) -> str:
    """Return the message for a Kubernetes that does not answer."""
    return (
        f"Kubernetes at {address} cannot be asked for this server's pod ({cause}). If it does not answer, a "
        "NetworkPolicy may be blocking it."
    )


def own_pod_forbidden(words: str, namespace: str, rule: str) -> str:
    """Return the message for a service account that lacks a right; `words` are Kubernetes's."""
    return (
        f"This server's service account may not read its own pod ({words}). Give it, in namespace {namespace}, a Role "
        f"with the rule {rule}."
    )


def own_pod_not_returned(address: str, status: int, words: str) -> str:
    """Return the message for another refusal of Kubernetes."""
    return f"Kubernetes at {address} does not return this server's pod ({status}: {words})."


def argo_too_old(actual: str, url: str, feature: str, needed: str) -> str:
    """Return the message for a feature that this Argo does not have."""
    return (
        f"Argo {actual} at {url} is too old for this: {feature} needs {needed} or later. Ask your "
        "administrator for an upgrade."
    )


def argo_answer_unknown(url: str, error: Exception) -> str:
    """Return the message for an answer that does not have the form of Argo's."""
    reason = shorten(f"{type(error).__name__}: {error}", 120)
    return f"Argo's server at {url} answered in an unknown form ({reason}). Check ARGO_SERVER and ARGO_BASE_HREF."


def argo_token_not_valid(origin: str) -> str:
    """Return the message for a token of Argo that cannot be one."""
    return f"The token for Argo has characters that a token cannot have. Check {origin}."


def argo_token_file_empty(file: str) -> str:
    """Return the message for an empty file of Argo's token."""
    return f"The file with the token for Argo, '{file}', is empty."


def argo_token_file_unreadable(file: str, reason: str | None) -> str:
    """Return the message for a file of Argo's token that cannot be read."""
    return (
        f"The file with the token for Argo, '{file}', cannot be read: {reason}. See "
        "c.ArgoScheduler.argo_token_file."
    )


def cron_workflow_contended(name: str) -> str:
    """Return the message for a cron workflow that others keep changing."""
    return f"Argo's cron workflow {name} could not be changed: others keep changing it. Try again later."


def cron_workflow_stays(name: str) -> str:
    """Return the message for a cron workflow that Argo does not delete."""
    return f"Argo's cron workflow {name} could not be replaced: the old one is still there. Try again later."


# Handlers

OTHER_SCHEDULER = "This server's jobs are not run by argo-jupyter-scheduler: set SchedulerApp.scheduler_class to ArgoScheduler."
METRICS_OFF = "Metrics are off: ask your administrator to set c.ArgoScheduler.serve_metrics = True."


def query_out_of_range(name: str, value: str, low: float, high: float) -> str:
    """Return the message for a number in a request's query that is not one, or not within its limits."""
    return f"{name}={shorten(value, 80)} is not valid. Use a number from {low:g} to {high:g}."


def notebook_of_job_gone(job_id: str) -> str:
    """Return the message for a job that cannot run again, since its staged notebook is missing."""
    return f"The notebook of job {job_id} is no longer in the staging area."


def no_result(job_id: str) -> str:
    """Return the message for a link to the result of a job that has none."""
    return f"Job {shorten(job_id, 80)} has no output to show. See its status in the list of jobs."


# Files and the database


def files_unusable(error: OSError) -> str:
    """Return the message for a request whose files cannot be written or read."""
    return f"The job's files could not be written or read. {unexpected_error(error)}"


def outputs_unpublished(error: OSError) -> str:
    """Return the message for a run whose outputs could not be given the names under which they are downloaded."""
    return f"The outputs could not be published. {unexpected_error(error)}"


def outputs_missing(formats: Iterable[str]) -> str:
    """Return the message for a run whose notebook was executed, but whose outputs are not all there."""
    return f"The notebook was executed, but these outputs could not be written: {', '.join(formats)}."


def database_unusable(reason: object) -> str:
    """Return the message for a database that cannot be used."""
    return f"The scheduler's database cannot be used: {reason}"
