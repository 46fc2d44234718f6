import type { IParameter } from '@jupyterlab/scheduler';
import type { IDeclared } from '../api';

/** How alike two names must be. It is the server's bound, and the server's measure (Python's `difflib`). */
const ALIKE = 0.7;

/** How many characters of two texts match, as Python's `SequenceMatcher` counts them. */
function countMatches(a: string, b: string): number {
  let [length, inA, inB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < b.length; j++) {
      let k = 0;
      while (i + k < a.length && j + k < b.length && a[i + k] === b[j + k]) {
        k++;
      }
      if (k > length) {
        [length, inA, inB] = [k, i, j];
      }
    }
  }
  return length
    ? length +
        countMatches(a.slice(0, inA), b.slice(0, inB)) +
        countMatches(a.slice(inA + length), b.slice(inB + length))
    : 0;
}

/** Return the declared name that a misspelt one probably means, by the server's rule; undefined for a name that is accepted. */
export function findMeant(name: string, used: string[], declared: string[]): string | undefined {
  if (!name || declared.includes(name) || name.startsWith('SLACK_')) {
    return undefined;
  }
  const ratio = (other: string) =>
    (2 * countMatches(other.slice(0, 100), name.slice(0, 100))) / (other.length + name.length);
  return declared
    .filter((other) => !used.includes(other) && ratio(other) >= ALIKE)
    .sort((a, b) => ratio(b) - ratio(a))[0];
}

/** Return parameters with their defaults, as a user would write them; those whose default is computed are left to the notebook. */
export function fillIn(declared: IDeclared[]): IParameter[] {
  return declared.filter(isLiteral).map(({ name, default: text }) => {
    const plain = /^(['"])([^'"\\\s]([^'"\\\n]*[^'"\\\s])?)\1$/.exec(text);
    return { name, value: plain ? plain[2] : text };
  });
}

/** Whether the server reads a default as the notebook would: text, a number, a boolean, None, or a list or dict of these. */
function isLiteral({ type, default: text }: IDeclared): boolean {
  if (type === 'other' && text !== 'None') {
    return false; // such as a set
  }
  const rest = text
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '0')
    .replace(/\b(?:True|False|None|true|false|null)\b/g, '0');
  return /^-?[\d.]+(?:e[+-]?\d+)?$/i.test(rest) || /^[[{][-[\]{},:\s\d.]*$/.test(rest);
}
