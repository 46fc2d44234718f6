import { expect, test } from 'vitest';
import type { IDefinition, IJob } from '../src/api';
import { ALL, selectJobs, sortDefinitions } from '../src/monitor/filter';
import type { IFilter } from '../src/monitor/filter';

const JOBS = [
  { job_id: '1', name: 'Sales', status: 'COMPLETED', create_time: 1, start_time: 1, end_time: 9000 },
  { job_id: '2', name: 'costs', status: 'FAILED', create_time: 2, status_message: 'Out of memory' },
  { job_id: '3', name: 'sales', status: 'QUEUED', create_time: 0, job_definition_id: 'd' },
  { job_id: '4', name: 'Bikes', status: 'STOPPED', create_time: 4, start_time: 1, end_time: 5000 },
].map((one) => ({ input_filename: 'x.ipynb', job_definition_id: null, ...one })) as unknown as IJob[];

function select(filter: Partial<IFilter>): string {
  return selectJobs(JOBS, { ...ALL, ...filter })
    .map((one) => one.job_id)
    .join('');
}

test('jobs are found by words, status and definition', () => {
  expect(select({})).toBe('3421'); // those that run, then the newest
  expect(select({ text: ' SALES ' })).toBe('31');
  expect(select({ text: 'memory costs' })).toBe('2');
  expect(select({ text: 'memory sales' })).toBe('');
  expect(select({ status: 'live' })).toBe('3');
  expect(select({ status: 'FAILED' })).toBe('2');
  expect(select({ definition: 'd' })).toBe('3');
  expect(select({ definition: 'none' })).toBe('421');
});

test('jobs are sorted', () => {
  expect(select({ order: 'name' })).toBe('4231');
  expect(select({ order: 'status' })).toBe('1234');
  expect(select({ order: 'longest' })).toBe('1432');
});

test('definitions are sorted by their next run', () => {
  const definitions = [
    { name: 'b', next_run_time: null },
    { name: 'late', next_run_time: 9 },
    { name: 'a', next_run_time: null },
    { name: 'soon', next_run_time: 1 },
  ] as IDefinition[];
  expect(sortDefinitions(definitions).map((one) => one.name)).toEqual(['soon', 'late', 'a', 'b']);
});
