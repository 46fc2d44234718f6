import { useLayoutEffect, useRef, useState } from 'react';
import type { RefObject } from 'react';

/**
 * Return an element for a portal elsewhere on the stock page, which offers one place only.
 *
 * `insert` puts it in, seen from an element in that one place. Where it cannot, the portal is drawn there.
 */
export function usePlace(
  home: RefObject<HTMLElement>,
  insert: (home: HTMLElement, place: HTMLElement) => void,
): HTMLElement {
  const [place] = useState(() => document.createElement('div'));
  const insertOnce = useRef(insert);
  useLayoutEffect(() => {
    if (home.current) {
      insertOnce.current(home.current, place);
      if (!place.isConnected) {
        home.current.append(place);
      }
    }
    return () => place.remove();
  }, [home, place]);
  return place;
}
