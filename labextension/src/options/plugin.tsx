/**
 * Takes the place of the stock frontend's plugin for additional options. Without a provider there is no panel at all, so this bundle
 * holds nothing that can fail: it draws the stock component until a better one is offered, and again if that one breaks.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import plugins, { Scheduler } from '@jupyterlab/scheduler';
import type { IAdvancedOptionsProps } from '@jupyterlab/scheduler';
import React from 'react';
import { OFFER, offered } from './offer';

type Component = React.FC<IAdvancedOptionsProps>;

/** Draws its children, and the stock component once they have failed. */
class Fallback extends React.Component<React.PropsWithChildren<{ stock: React.ReactNode }>, { failed: boolean }> {
  state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  render() {
    return this.state.failed ? this.props.stock : this.props.children;
  }
}

function makeComponent(Stock: Component): Component {
  return function AdvancedOptions(props) {
    const Better = React.useSyncExternalStore(
      (changed) => {
        window.addEventListener(OFFER, changed);
        return () => window.removeEventListener(OFFER, changed);
      },
      () => offered.argoJobOptions,
    );
    const stock = <Stock {...props} />;
    return Better ? (
      <Fallback stock={stock}>
        <Better {...props} stock={stock} />
      </Fallback>
    ) : (
      stock
    );
  };
}

const plugin: JupyterFrontEndPlugin<Component> = {
  id: 'argo-jupyter-scheduler-options:plugin',
  description: 'Draws additional options of jobs, by default the stock ones.',
  autoStart: true,
  provides: Scheduler.IAdvancedOptions,
  activate: (app: JupyterFrontEnd) => {
    const stock = plugins.find(({ id }) => id === Scheduler.IAdvancedOptions.name);
    return makeComponent((stock?.activate(app) ?? (() => null)) as Component);
  },
};

export default plugin;
