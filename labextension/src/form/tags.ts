/** Options are stored as tags such as `timeout:2h`. The server reads them in the same way. */

function nameOf(tag: string): string {
  const colon = tag.indexOf(':');
  return colon < 0 ? '' : tag.slice(0, colon).trim().toLowerCase().replace(/[- ]/g, '_');
}

/** Return the value of an option; empty where no tag has it. */
export function readOption(tags: string[] | undefined, name: string): string {
  const tag = tags?.find((each) => nameOf(each) === name);
  return tag ? tag.slice(tag.indexOf(':') + 1).trim() : '';
}

/** Return the tags with another value of an option, or without it where the value is empty. */
export function writeOption(tags: string[] | undefined, name: string, value: string): string[] {
  const others = (tags ?? []).filter((tag) => nameOf(tag) !== name);
  return value ? [...others, `${name}:${value}`] : others;
}
