import React from 'react';
import * as api from '../api';
import { useAnswer, useServices } from './services';

/** Wait for the user to end typing. */
const PAUSE_MS = 300;

function formatTime(time: number, timezone: string): string {
  return new Date(time).toLocaleString(undefined, {
    timeZone: timezone || 'UTC',
    weekday: 'short',
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'short',
  });
}

/** The next times of a schedule in its own time zone, or why the server refuses it. */
export function SchedulePreview(props: { schedule: string; timezone: string }): JSX.Element {
  const { trans } = useServices();
  const { schedule, timezone } = props;
  const { answer, problem } = useAnswer(() => api.previewSchedule(schedule, timezone), [schedule, timezone], PAUSE_MS);
  const refusal = problem ?? answer?.refusal;
  const changes = {
    '': '',
    forward: trans.__('Clocks go forward on this day'),
    back: trans.__('Clocks go back on this day'),
  };
  return (
    <section className="jp-argo-Preview" aria-label={trans.__('Next runs')} aria-live="polite">
      <h3>{trans.__('Next runs in %1', timezone || 'UTC')}</h3>
      {refusal ? (
        <p className="jp-argo-Error">{refusal}</p>
      ) : (
        <ol>
          {answer?.times.map(({ time, text, clock_change }) => (
            <li key={time}>
              <time dateTime={text}>{formatTime(time, timezone)}</time>{' '}
              {clock_change && <mark>{changes[clock_change]}</mark>}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
