import type { LabIcon } from '@jupyterlab/ui-components';
import React, { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IProgress, IRun, Status } from '../api';
import type { Changes } from '../changes';
import { formatDuration } from '../details/duration';
import { useServices } from '../form/services';

const TIME = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});
const ZONED = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  timeZoneName: 'short',
});
const HOUR = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
export const formatTime = (ms: number) => TIME.format(ms);
/** The time of a moment of today, else its day: what a narrow row has room for. */
export const formatShort = (ms: number) =>
  (new Date(ms).toDateString() === new Date().toDateString() ? HOUR : DAY).format(ms);
/** A time with the user's zone. */
export const formatZoned = (ms: number) => ZONED.format(ms);

/** Read what is known; the component is drawn again when that has changed. */
export function useChanges<T>(changes: Changes, read: (changes: Changes) => T): T {
  return useSyncExternalStore(
    useCallback(
      (listener) => {
        changes.changed.connect(listener);
        return () => void changes.changed.disconnect(listener);
      },
      [changes],
    ),
    () => read(changes),
  );
}

export function statusText(trans: TranslationBundle, status: Status): string {
  const texts: Record<Status, string> = {
    CREATED: trans.__('Created'),
    QUEUED: trans.__('Queued'),
    IN_PROGRESS: trans.__('Running'),
    COMPLETED: trans.__('Completed'),
    FAILED: trans.__('Failed'),
    STOPPING: trans.__('Stopping'),
    STOPPED: trans.__('Stopped'),
  };
  return texts[status] ?? status;
}

/** Run what a button does; say that it is under way, and show its error in place. */
export function useAction(): [string, boolean, (action: () => Promise<unknown>) => void] {
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const run = (action: () => Promise<unknown>) => {
    setBusy(true);
    setProblem('');
    action()
      .catch((error: Error) => setProblem(error.message))
      .finally(() => setBusy(false));
  };
  return [problem, isBusy, run];
}

/** The present, each second, as long as somebody wants to know. */
export function useNow(isWanted: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (isWanted) {
      setNow(Date.now());
      const timer = setInterval(() => setNow(Date.now()), 1000);
      return () => clearInterval(timer);
    }
    return undefined;
  }, [isWanted]);
  return now;
}

export function Button(props: {
  icon: LabIcon;
  label: string;
  onClick: () => void;
  expanded?: boolean;
  disabled?: boolean;
}): JSX.Element {
  const { icon, label, onClick, expanded, disabled } = props;
  return (
    <button
      type="button"
      className="jp-argo-Button"
      title={label}
      aria-label={label}
      aria-expanded={expanded}
      disabled={disabled}
      onClick={onClick}
    >
      <icon.react tag="span" className="jp-argo-Icon" />
    </button>
  );
}

/** How far a run's cells are. A cell that runs counts half. */
export function CellBar({ progress: { cell, cells } }: { progress: IProgress }): JSX.Element {
  const { trans } = useServices();
  return <progress aria-label={trans.__('Cells')} value={cell ? cell - 0.5 : undefined} max={cells || 1} />;
}

/** Runs as coloured squares; each opens its page. */
export function RunSquares(props: { runs: IRun[]; label: string; open: (jobId: string) => void }): JSX.Element {
  const { trans } = useServices();
  return (
    <ol className="jp-argo-Runs" aria-label={props.label}>
      {props.runs.map(({ job_id: jobId, status, start_time: start, duration_seconds: seconds }) => {
        const took = seconds === null ? '' : `, ${formatDuration(seconds)}`;
        const when = start === null ? '' : `, ${formatTime(start)}`;
        const label = statusText(trans, status) + took + when;
        return (
          <li key={jobId}>
            <button
              type="button"
              className="jp-argo-Square"
              data-status={status}
              title={label}
              aria-label={label}
              onClick={() => props.open(jobId)}
            />
          </li>
        );
      })}
    </ol>
  );
}

export function Problem({ text }: { text: string }): JSX.Element {
  return (
    <div role="alert" className="jp-argo-Problem">
      {text}
    </div>
  );
}

/** How many items are drawn at first, and how many more each time. */
const STEP = 40;

/** Some of many items; more are drawn when the end comes into sight. */
export function LongList<T>(props: {
  items: T[];
  label: string;
  empty: string;
  draw: (item: T) => JSX.Element;
}): JSX.Element {
  const { items, label, empty, draw } = props;
  const [limit, setLimit] = useState(STEP);
  const [end, setEnd] = useState<HTMLElement | null>(null);
  useEffect(() => {
    if (!end) {
      return undefined;
    }
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setLimit((before) => before + STEP),
      { root: end.parentElement, rootMargin: '600px' },
    );
    observer.observe(end);
    return () => observer.disconnect();
  }, [end, limit]);
  return (
    <>
      {!items.length && <p className="jp-argo-Empty">{empty}</p>}
      <ul className="jp-argo-List" aria-label={label} hidden={!items.length}>
        {items.slice(0, limit).map(draw)}
        {items.length > limit && <li ref={setEnd} className="jp-argo-End" aria-hidden="true" />}
      </ul>
    </>
  );
}
