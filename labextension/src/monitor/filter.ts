import type { IJob, IDefinition } from '../api';
import { isLive } from '../changes';

export type Order = 'newest' | 'name' | 'status' | 'longest';

export interface IFilter {
  text: string;
  /** A status, `live` for all jobs that have not ended, empty for any. */
  status: string;
  /** The id of a job definition, `none` for jobs of their own, empty for any. */
  definition: string;
  order: Order;
}

export const ALL: IFilter = { text: '', status: '', definition: '', order: 'newest' };

/** Return how long a job ran, or has been running, in seconds; null before it began. */
export function secondsOf(job: IJob): number | null {
  if (job.progress) {
    return job.progress.elapsed_seconds;
  }
  return job.start_time && job.end_time ? (job.end_time - job.start_time) / 1000 : null;
}

const NEWEST = (a: IJob, b: IJob) => +isLive(b) - +isLive(a) || b.create_time - a.create_time;
const ORDERS: Record<Order, (a: IJob, b: IJob) => number> = {
  newest: NEWEST,
  name: (a, b) => a.name.localeCompare(b.name) || NEWEST(a, b),
  status: (a, b) => a.status.localeCompare(b.status) || NEWEST(a, b),
  longest: (a, b) => (secondsOf(b) ?? -1) - (secondsOf(a) ?? -1) || NEWEST(a, b),
};

/** Return the jobs to show, in order. */
export function selectJobs(jobs: Iterable<IJob>, filter: IFilter): IJob[] {
  const { text, status, definition } = filter;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return [...jobs]
    .filter((job) => {
      const searched = `${job.name} ${job.input_filename} ${job.status_message ?? ''}`.toLowerCase();
      return (
        words.every((word) => searched.includes(word)) &&
        (!status || (status === 'live' ? isLive(job) : job.status === status)) &&
        (!definition || (job.job_definition_id ?? 'none') === definition)
      );
    })
    .sort(ORDERS[filter.order]);
}

/** Return the job definitions by when they run next; those that do not, at the end. */
export function sortDefinitions(definitions: Iterable<IDefinition>): IDefinition[] {
  const next = (one: IDefinition) => one.next_run_time ?? Infinity;
  return [...definitions].sort((a, b) => (next(a) === next(b) ? a.name.localeCompare(b.name) : next(a) - next(b)));
}
