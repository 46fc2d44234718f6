import { editIcon, html5Icon, listIcon, notebookIcon, refreshIcon, stopIcon } from '@jupyterlab/ui-components';
import React, { memo, useEffect, useMemo, useRef, useState } from 'react';
import type { IJob } from '../api';
import { isLive } from '../changes';
import { formatDuration } from '../details/duration';
import { Log } from '../details/log';
import { useServices } from '../form/services';
import { ALL, secondsOf, selectJobs } from './filter';
import { Button, CellBar, LongList, Problem, formatShort, formatTime, statusText } from './parts';
import { useAction, useChanges, useNow } from './parts';

/** The time that a job has been running, or ran. */
function Duration({ job }: { job: IJob }): JSX.Element {
  const received = useRef({ job, at: Date.now() });
  if (received.current.job !== job) {
    received.current = { job, at: Date.now() };
  }
  const now = useNow(!!job.progress);
  const since = job.progress ? Math.max(0, now - received.current.at) / 1000 : 0;
  const seconds = secondsOf(job);
  const estimate = job.progress?.estimated_seconds;
  return (
    <span>
      {seconds !== null && formatDuration(seconds + since)}
      {!!estimate && ` / ~${formatDuration(estimate)}`}
    </span>
  );
}

function Progress({ job: { progress, status, status_message } }: { job: IJob }): JSX.Element {
  const { trans } = useServices();
  if (!progress) {
    return <>{status_message || statusText(trans, status)}</>;
  }
  const { cell, cells, attempt, attempts } = progress;
  return (
    <>
      <CellBar progress={progress} />
      {cell ? trans.__('cell %1 of %2', cell, cells) : statusText(trans, status)}
      {attempt > 1 && `, ${trans.__('attempt %1 of %2', attempt, attempts)}`}
    </>
  );
}

const JobRow = memo(function JobRow({ job, isShown }: { job: IJob; isShown: boolean }): JSX.Element {
  const { trans, actions } = useServices();
  const [problem, isBusy, run] = useAction();
  const [hasLog, setHasLog] = useState(false);
  const row = useRef<HTMLLIElement>(null);
  const live = isLive(job);
  const { job_id: id, output_formats: formats } = job;
  useEffect(() => {
    if (isShown) {
      row.current?.scrollIntoView({ block: 'center' });
      row.current?.focus();
    }
  }, [isShown]);
  useEffect(() => {
    if (hasLog) {
      row.current?.scrollIntoView({ block: 'nearest' });
    }
  }, [hasLog]);
  const isDone = job.status === 'COMPLETED';
  const ended = job.end_time ?? job.update_time;
  const button = (icon: Parameters<typeof Button>[0]['icon'], label: string, action: () => Promise<unknown>) => (
    <Button icon={icon} label={label} disabled={isBusy} onClick={() => run(action)} />
  );
  return (
    <li ref={row} tabIndex={-1} className="jp-argo-Row" aria-labelledby={`jp-argo-${id}`} aria-busy={isBusy}>
      <div className="jp-argo-Line">
        <span
          role="img"
          className="jp-argo-Status"
          data-status={job.status}
          aria-label={statusText(trans, job.status)}
          title={statusText(trans, job.status)}
        />
        <button
          type="button"
          id={`jp-argo-${id}`}
          className="jp-argo-Name"
          title={isDone ? trans.__('Open the output') : trans.__('Show the details')}
          onClick={() => run(() => (isDone ? actions.openOutput(id) : actions.openJob(id)))}
        >
          <bdi>{job.name}</bdi>
        </button>
        <Duration job={job} />
      </div>
      <div className="jp-argo-Line">
        <div className="jp-argo-Meta">
          {live ? <Progress job={job} /> : <span title={formatTime(ended)}>{formatShort(ended)}</span>}
        </div>
        {live && button(stopIcon, trans.__('Stop'), () => actions.stop(job))}
        <Button icon={listIcon} label={trans.__('Log')} expanded={hasLog} onClick={() => setHasLog(!hasLog)} />
        {!live && (
          <>
            {formats.includes('html') && button(html5Icon, trans.__('Open HTML'), () => actions.openOutput(id, 'html'))}
            {formats.includes('ipynb') &&
              button(notebookIcon, trans.__('Open notebook'), () => actions.openOutput(id, 'ipynb'))}
            {button(refreshIcon, trans.__('Run again'), () => actions.rerun(job))}
            {button(editIcon, trans.__('Edit and run again'), () => actions.editAndRerun(job))}
          </>
        )}
      </div>
      {!live && !isDone && job.status_message && (
        <div className="jp-argo-Reason" dir="auto" title={job.status_message}>
          {job.status_message}
        </div>
      )}
      {problem && <Problem text={problem} />}
      {hasLog && <Log jobId={id} status={job.status} />}
    </li>
  );
});

/** The jobs, with a filter. */
export function Jobs(): JSX.Element {
  const { trans, changes, actions } = useServices();
  const jobs = useChanges(changes, () => changes.jobs);
  const definitions = useChanges(changes, () => changes.definitions);
  const isLoaded = useChanges(changes, () => changes.isLoaded);
  const [filter, setFilter] = useState(ALL);
  const [shownJob, setShownJob] = useState(actions.shownJob);
  useEffect(() => {
    const show = (_: unknown, id: string) => {
      setFilter(ALL);
      setShownJob(id);
    };
    actions.shownJobChanged.connect(show);
    return () => void actions.shownJobChanged.disconnect(show);
  }, [actions]);
  const selected = useMemo(() => selectJobs(jobs.values(), filter), [jobs, filter]);
  const select = (name: 'status' | 'definition' | 'order', label: string, choices: [string, string][]) => (
    <select
      name={name}
      aria-label={label}
      title={label}
      value={filter[name]}
      onChange={(event) => setFilter({ ...filter, [name]: event.target.value })}
    >
      {choices.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
  const ended = (['COMPLETED', 'FAILED', 'STOPPED'] as const).map((status): [string, string] => [
    status,
    statusText(trans, status),
  ]);
  return (
    <>
      <div role="search" aria-label={trans.__('Filter')} className="jp-argo-Filter">
        <input
          type="search"
          placeholder={trans.__('Filter jobs')}
          aria-label={trans.__('Filter jobs')}
          value={filter.text}
          onChange={(event) => setFilter({ ...filter, text: event.target.value })}
        />
        {select('status', trans.__('Status'), [['', trans.__('Any status')], ['live', trans.__('Running')], ...ended])}
        {select('order', trans.__('Order'), [
          ['newest', trans.__('Newest first')],
          ['name', trans.__('By name')],
          ['status', trans.__('By status')],
          ['longest', trans.__('Longest first')],
        ])}
        {select('definition', trans.__('Job definition'), [
          ['', trans.__('Any definition')],
          ['none', trans.__('No definition')],
          ...[...definitions.values()].map((one): [string, string] => [one.job_definition_id, one.name]),
        ])}
      </div>
      <LongList
        items={selected}
        label={trans.__('Jobs')}
        empty={
          !isLoaded
            ? trans.__('Loading …')
            : jobs.size
              ? trans.__('No job matches the filter.')
              : actions.hasPages
                ? trans.__('No jobs yet. The calendar icon in the toolbar of a notebook creates one.')
                : trans.__('No jobs yet. Create one in JupyterLab.')
        }
        draw={(job) => <JobRow key={job.job_id} job={job} isShown={job.job_id === shownJob} />}
      />
    </>
  );
}
