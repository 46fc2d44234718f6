import { expect, test } from 'vitest';
import { asRequest } from '../src/details/changes';
import { formatDuration } from '../src/details/duration';
import { plainText, splitByHits } from '../src/details/text';
import { nameJob } from '../src/form/own-notebook';
import { fillIn, findMeant } from '../src/form/parameters';
import { readOption, writeOption } from '../src/form/tags';

test('options are read from tags as the server reads them', () => {
  const tags = ['mine', 'Time-Out: no', 'TIMEOUT: 2h ', 'image:a/b:c', 'retry interval:5m'];
  expect(readOption(tags, 'timeout')).toBe('2h');
  expect(readOption(tags, 'image')).toBe('a/b:c');
  expect(readOption(tags, 'retry_interval')).toBe('5m');
  expect(readOption(tags, 'keep')).toBe('');
  expect(readOption(undefined, 'keep')).toBe('');
});

test('an option replaces its tag and leaves others alone', () => {
  expect(writeOption(['timeout:1h', 'mine'], 'timeout', '2h')).toEqual(['mine', 'timeout:2h']);
  expect(writeOption(['Timeout:1h', 'mine'], 'timeout', '')).toEqual(['mine']);
  expect(writeOption(undefined, 'keep', '3')).toEqual(['keep:3']);
});

test.each([
  ['dayz', 'days'],
  ['citty', 'city'],
  ['days', undefined],
  ['SLACK_CHANNEL', undefined],
  ['OTHER_VARIABLE', undefined],
  ['', undefined],
])('the name %j means %j', (name, meant) => {
  expect(findMeant(name, [name], ['days', 'city'])).toBe(meant);
});

test('a name that is used already is not meant', () => {
  expect(findMeant('dayz', ['dayz', 'days'], ['days'])).toBeUndefined();
});

test.each([
  ['7', '7'],
  ['-1.5e3', '-1.5e3'],
  ['True', 'True'],
  ['None', 'None'],
  ['"Oslo"', 'Oslo'],
  ["'a b'", 'a b'],
  ['""', '""'],
  ["' padded '", "' padded '"],
  [String.raw`"a\n"`, String.raw`"a\n"`],
  ['["a", {"b": None}]', '["a", {"b": None}]'],
  ['date.today()', undefined],
  ['60 * 60', undefined],
  ['[other]', undefined],
  ['f"{x}"', undefined],
  ['(1, 2)', undefined],
  ['', undefined],
])('the default %s is filled in as %j', (text, value) => {
  const filled = fillIn([{ name: 'x', type: 'str', default: text, comment: '' }]);
  expect(filled[0]?.value).toBe(value);
});

test('a set is left to the notebook', () => {
  expect(fillIn([{ name: 'x', type: 'other', default: '{1, 2}', comment: '' }])).toEqual([]);
});

test('a log is shown as plain text', () => {
  expect(plainText('\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07')).toBe('red link');
  expect(plainText('10%\r50%\r100%\r\ndone\r\n')).toBe('100%\ndone\n');
});

test('a search finds hits regardless of case, and takes no character as a pattern', () => {
  expect(splitByHits('a.B.ab', 'b', 9)).toEqual(['a.', 'B', '.a', 'b', '']);
  expect(splitByHits('a.b', '.', 9)).toEqual(['a', '.', 'b']);
  expect(splitByHits('abc', '', 9)).toEqual(['abc']);
  expect(splitByHits('xaxaxa', 'x', 2)).toEqual(['', 'x', 'a', 'x', 'axa']);
});

test('only what was changed is sent', () => {
  const before = {
    name: 'a',
    inputFile: 'n',
    environment: 'e',
    tags: ['x'],
    parameters: [],
    schedule: '@daily',
  };
  const after = { ...before, name: 'b', tags: ['x', ' y ', ''], parameters: [{ name: 'p', value: '1' }] };
  expect(asRequest(before, after)).toEqual({ name: 'b', tags: ['x', 'y'], parameters: { p: '1' } });
  expect(asRequest(before, { ...before })).toEqual({});
});

test.each([
  [0.4, '0 s'],
  [59.6, '1 min 0 s'],
  [3725, '1 h 2 min'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test.each([
  ['a b/monthly report_2.ipynb', 'monthly report_2'],
  ['Umsätze: März.ipynb', 'Ums_tze_ M_rz'],
  ['-x.ipynb', '_x'],
  [`${'n'.repeat(70)}.ipynb`, 'n'.repeat(63)],
])('the jobs of %s are called %s', (path, name) => {
  expect(nameJob(path)).toBe(name);
});
