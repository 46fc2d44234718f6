import React, { useEffect, useRef, useState } from 'react';
import { createPortal } from 'react-dom';
import * as api from '../api';
import { isLive } from '../changes';
import { usePlace } from '../form/place';
import { useAnswer, useServices } from '../form/services';
import { CellBar, Problem, useAction } from '../monitor/parts';
import type { OfferedProps } from '../options/offer';
import { formatDuration } from './duration';
import { Log } from './log';

const PAUSE_MS = 1000;

/** Put the place before the first card of the detail page, so that what changes is seen first. */
export function beforeCards(home: HTMLElement, place: HTMLElement): void {
  home.closest('.MuiCard-root')?.parentElement?.querySelector(':scope > .MuiCard-root')?.before(place);
}

/** Return a job, asked for again while it is live and seen. */
function useJob(jobId: string, home: React.RefObject<HTMLElement>) {
  const [tick, setTick] = useState(0);
  const found = useAnswer(() => api.getJob(jobId), [jobId, tick]);
  const isWanted = !found.answer || isLive(found.answer);
  useEffect(() => {
    const look = () => {
      if (isWanted && !document.hidden && home.current?.offsetParent) {
        clearInterval(timer); // until there is an answer
        setTick((before) => before + 1);
      }
    };
    const timer = setInterval(look, PAUSE_MS);
    return () => clearInterval(timer);
  }, [found, isWanted, home]);
  return found;
}

function Progress({ progress }: { progress: api.IProgress }): JSX.Element {
  const { trans } = useServices();
  const { cell, cells, attempt, attempts, elapsed_seconds: elapsed } = progress;
  const left = (progress.estimated_seconds ?? 0) - elapsed;
  return (
    <div className="jp-argo-Progress">
      <CellBar progress={progress} />
      <p role="status">
        {cell ? trans.__('Cell %1 of %2', cell, cells) : trans.__('Starting')}
        {attempts > 1 && `, ${trans.__('attempt %1 of %2', attempt, attempts)}`}
      </p>
      <p>
        {trans.__('Running for %1', formatDuration(elapsed))}
        {left > 0 && `, ${trans.__('about %1 left', formatDuration(left))}`}
      </p>
      {progress.source && <code dir="auto">{progress.source}</code>}
    </div>
  );
}

function Outputs({ job }: { job: api.IJobDetail }): JSX.Element {
  const { actions, trans } = useServices();
  const [problem, isBusy, run] = useAction();
  return (
    <div className="jp-argo-Bar">
      <span>{job.status === 'COMPLETED' ? trans.__('Outputs:') : trans.__('Outputs so far:')}</span>
      {job.outputs.map(({ format, display_name: name }) => (
        <button
          key={format}
          type="button"
          className="jp-mod-styled"
          disabled={isBusy}
          onClick={() => run(() => actions.openOutput(job.job_id, format))}
        >
          <bdi>{name}</bdi>
        </button>
      ))}
      {problem && <Problem text={problem} />}
    </div>
  );
}

/** Additional options on a job's page; above the stock cards: progress, outputs and the log. */
export function JobDetail({ model, stock }: OfferedProps): JSX.Element {
  const { actions, trans } = useServices();
  const jobId = model.jobId ?? '';
  const home = useRef<HTMLDivElement>(null);
  const place = usePlace(home, beforeCards);
  const { answer: job, problem } = useJob(jobId, home);

  // The stock page reads the job once. It is shown again, with the new status, if the user looks at it.
  useEffect(() => {
    if (job?.job_id === jobId && job.status !== model.status && home.current?.offsetParent) {
      void actions.openJob(jobId);
    }
  }, [actions, job?.job_id, job?.status, jobId, model.status]);

  return (
    <div ref={home}>
      {createPortal(
        <div className="jp-argo-Live">
          {problem && <Problem text={problem} />}
          {job?.progress && <Progress progress={job.progress} />}
          {job && job.attempts > 1 && <p>{trans.__('Attempts: %1', job.attempts)}</p>}
          {job?.engine_url && (
            <a href={job.engine_url} target="_blank" rel="noopener noreferrer">
              {trans.__('Open in Argo')}
            </a>
          )}
          {!!job?.outputs.length && !isLive(job) && <Outputs job={job} />}
          {job && <Log key={jobId} jobId={jobId} status={job.status} />}
        </div>,
        place,
      )}
      {stock}
    </div>
  );
}
