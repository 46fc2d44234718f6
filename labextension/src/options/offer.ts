import type { IAdvancedOptionsProps } from '@jupyterlab/scheduler';
import type { FC, ReactNode } from 'react';

/** The properties of a component that is drawn instead of the stock one, which it gets as `stock`. */
export type OfferedProps = IAdvancedOptionsProps & { stock: ReactNode };

export const OFFER = 'argo-job-options';

/** Where the two bundles meet. A token would make this bundle wait for the other one. */
export const offered = window as {
  argoJobOptions?: FC<OfferedProps> | undefined;
};

/** Draw a component instead of the stock one, or, without one, the stock one again. */
export function offer(component?: FC<OfferedProps>): void {
  offered.argoJobOptions = component;
  window.dispatchEvent(new Event(OFFER));
}
