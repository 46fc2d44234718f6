import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { IChanges, IJob, Status } from '../src/api';
import { Changes } from '../src/changes';

const page = Object.assign(new EventTarget(), { hidden: false });

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', page);
  page.hidden = false;
});

afterEach(() => vi.useRealTimers());

function job(job_id: string, status: Status): IJob {
  return { job_id, status, name: job_id } as IJob;
}

function answer(jobs: IJob[], more: Partial<IChanges> = {}): IChanges {
  const nothing = { deleted_jobs: [], definitions: [], deleted_definitions: [] };
  return { token: 't', reset: false, jobs, ...nothing, ...more };
}

/** A server that gives these answers one after the other, and then none. */
function listen(...answers: (IChanges | Error)[]) {
  const asked: { since: string; atOnce: boolean; at: number }[] = [];
  const begin = Date.now();
  const changes = new Changes((since, atOnce) => {
    asked.push({ since, atOnce, at: Date.now() - begin });
    const next = answers.shift();
    if (!next) {
      return new Promise(() => undefined);
    }
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  });
  const ended: string[][] = [];
  changes.changed.connect((_, jobs) => ended.push(jobs.map((one) => one.job_id)));
  void changes.run();
  return { changes, asked, ended };
}

test('changes are merged, and deletions taken over', async () => {
  const { changes, asked } = listen(
    answer([job('a', 'QUEUED'), job('b', 'QUEUED')], { token: '1', reset: true }),
    answer([job('b', 'IN_PROGRESS')], { token: '2', deleted_jobs: ['a'] }),
  );
  await vi.advanceTimersByTimeAsync(1000);
  expect([...changes.jobs.values()]).toEqual([job('b', 'IN_PROGRESS')]);
  expect(asked.map(({ since }) => since)).toEqual(['', '1', '2']);
});

test('a job is reported once, when it ends before our eyes', async () => {
  const { ended } = listen(
    answer([job('old', 'FAILED'), job('live', 'QUEUED')], { reset: true }),
    answer([job('live', 'COMPLETED'), job('quick', 'FAILED'), job('begun', 'IN_PROGRESS')]),
    answer([job('live', 'COMPLETED')]),
    // The server has restarted.
    answer([job('old', 'FAILED'), job('live', 'COMPLETED'), job('begun', 'FAILED'), job('older', 'FAILED')], {
      reset: true,
    }),
  );
  await vi.advanceTimersByTimeAsync(2000);
  expect(ended).toEqual([[], ['live', 'quick'], [], ['begun']]);
});

test('after errors it asks less and less often, and tells of the first', async () => {
  const { changes, asked, ended } = listen(
    new Error('gone'),
    new Error('gone'),
    new Error('gone'),
    answer([], { reset: true }),
  );
  await vi.advanceTimersByTimeAsync(100);
  expect(changes.problem).toBe('gone');
  expect(ended).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(changes.problem).toBe('');
  expect(asked.map(({ at }) => at)).toEqual([0, 1000, 3000, 7000, 7200]);
});

test('a hidden page leaves no request waiting, and catches up when it is shown', async () => {
  page.hidden = true;
  const { asked } = listen(answer([], { reset: true }), answer([]), answer([]));
  await vi.advanceTimersByTimeAsync(30_000);
  expect(asked).toEqual([
    { since: '', atOnce: true, at: 0 },
    { since: 't', atOnce: true, at: 25_000 },
  ]);
  page.hidden = false;
  page.dispatchEvent(new Event('visibilitychange'));
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toHaveLength(3);
  expect(asked[2]).toEqual({ since: 't', atOnce: false, at: 30_000 });
});

test('it asks no more once it is stopped', async () => {
  const { changes, asked } = listen(answer([], { reset: true }), answer([]));
  await vi.advanceTimersByTimeAsync(0);
  changes.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(1);
});
