import { Signal } from '@lumino/signaling';
import { waitForChanges } from './api';
import type { IChanges, IDefinition, IJob, Status } from './api';

/** How long changes are gathered before the next request, in ms. */
const PAUSE_MS = 200;
/** How often a hidden page asks, in ms. It leaves no request waiting: all pages of a browser share six connections. */
const HIDDEN_MS = 25_000;
/** The first and the longest pause after an error, in ms. */
const RETRY_MS = [1000, 10_000] as const;

const LIVE: Status[] = ['CREATED', 'QUEUED', 'IN_PROGRESS', 'STOPPING'];

/** Return whether a job has not ended. */
export function isLive(job: { status: Status }): boolean {
  return LIVE.includes(job.status);
}

/** What a page knows of jobs and job definitions. It asks once for all that want to know. */
export class Changes {
  jobs: ReadonlyMap<string, IJob> = new Map();
  definitions: ReadonlyMap<string, IDefinition> = new Map();
  /** Whether the server has answered. */
  isLoaded = false;
  /** Why the last request failed; empty if it did not. */
  problem = '';
  /** Emitted after each answer with the jobs that ended since the one before, and after the first of several errors. */
  readonly changed = new Signal<this, IJob[]>(this);

  private token = '';
  private stopper = new AbortController();
  private wakeUp = () => {};

  constructor(private readonly ask: typeof waitForChanges = waitForChanges) {}

  /** Ask until `stop` is called. */
  async run(): Promise<void> {
    const { signal } = this.stopper;
    let retryMs: number = RETRY_MS[0];
    while (!signal.aborted) {
      const isHidden = document.hidden;
      try {
        const ended = this.apply(await this.ask(this.token, isHidden, signal));
        retryMs = RETRY_MS[0];
        this.changed.emit(ended);
        await this.pause(isHidden ? HIDDEN_MS : PAUSE_MS);
      } catch (error) {
        if (signal.aborted) {
          return;
        }
        const isNew = !this.problem;
        this.problem = (error as Error).message;
        if (isNew) {
          this.changed.emit([]);
        }
        await this.pause(retryMs);
        retryMs = Math.min(2 * retryMs, RETRY_MS[1]);
      }
    }
  }

  stop(): void {
    this.stopper.abort();
    this.wakeUp();
  }

  /** Take over an answer; return the jobs that have ended. */
  private apply(answer: IChanges): IJob[] {
    const { jobs, definitions } = this;
    const isFirst = !this.isLoaded;
    this.jobs = merge(jobs, answer.jobs, answer.deleted_jobs, 'job_id', answer.reset);
    this.definitions = merge(
      definitions,
      answer.definitions,
      answer.deleted_definitions,
      'job_definition_id',
      answer.reset,
    );
    this.token = answer.token;
    this.isLoaded = true;
    this.problem = '';
    return answer.jobs.filter((job) => {
      const before = jobs.get(job.job_id);
      return !isFirst && !isLive(job) && (before ? isLive(before) : !answer.reset);
    });
  }

  /** Wait; less if the page is shown meanwhile. */
  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        document.removeEventListener('visibilitychange', onShown);
        resolve();
      };
      const onShown = () => document.hidden || end();
      const timer = setTimeout(end, ms);
      document.addEventListener('visibilitychange', onShown);
      this.wakeUp = end;
    });
  }
}

/** The page's only one: the monitor lets it run, and every other part listens. */
export const pageChanges = new Changes();

function merge<T>(
  before: ReadonlyMap<string, T>,
  changed: T[],
  deleted: string[],
  id: keyof T,
  replaces: boolean,
): ReadonlyMap<string, T> {
  if (!replaces && !changed.length && !deleted.length) {
    return before;
  }
  const merged = new Map(replaces ? [] : before);
  changed.forEach((one) => merged.set(one[id] as string, one));
  deleted.forEach((one) => merged.delete(one));
  return merged;
}
