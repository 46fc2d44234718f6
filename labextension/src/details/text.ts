// eslint-disable-next-line no-control-regex
const ANSI = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

/** Return a log as plain text: without colours, and of a line that was written over, what was seen last. */
export function plainText(log: string): string {
  return log
    .replace(ANSI, '')
    .replace(/\r\n/g, '\n')
    .replace(/[^\n]*\r(?!$)/g, '');
}

/** Split a text where a search finds something, regardless of case; every second part is a hit. */
export function splitByHits(text: string, search: string, maxHits: number): string[] {
  if (!search) {
    return [text];
  }
  const escaped = search.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const parts = text.split(new RegExp(`(${escaped})`, 'i'));
  return parts.length <= 2 * maxHits ? parts : [...parts.slice(0, 2 * maxHits), parts.slice(2 * maxHits).join('')];
}
