import type { TranslationBundle } from '@jupyterlab/translation';
import { createContext, useContext, useEffect, useState } from 'react';
import type { Changes } from '../changes';
import type { Actions } from '../monitor/actions';

/** What the components need. */
export interface IServices {
  actions: Actions;
  changes: Changes;
  trans: TranslationBundle;
}

export const Services = createContext<IServices | null>(null);

export const useServices = () => useContext(Services)!;

/** Return what a request answered last, and why it failed since. It is sent again, after a pause, when one of `keys` has changed. */
export function useAnswer<T>(send: () => Promise<T>, keys: unknown[], pauseMs = 0): { answer?: T; problem?: string } {
  const [found, setFound] = useState<{ answer?: T; problem?: string }>({});
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => {
      send().then(
        (answer) => isCurrent && setFound({ answer }),
        (error: Error) => isCurrent && setFound((before) => ({ ...before, problem: error.message })),
      );
    }, pauseMs);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
    // The caller names what the answer depends on: `send` is another function each time.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, keys);
  return found;
}
