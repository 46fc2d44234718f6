import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import inside from './form/plugin';
import monitor from './monitor/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [monitor, inside];
export default plugins;
