import { LabIcon } from '@jupyterlab/ui-components';

function draw(name: string, path: string): LabIcon {
  const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3 jp-icon-selectable" fill="#616161" d="${path}"/></svg>`;
  return new LabIcon({ name: `argo-jupyter-scheduler:${name}`, svgstr });
}

export const calendarIcon = draw(
  'calendar',
  'M19 4h-1V2h-2v2H8V2H6v2H5a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h14a2 2 0 0 0 2-2V6a2 2 0 0 0-2-2zm0 16H5V10h14zM5 8V6h14v2zm2 4h5v5H7z',
);
export const pauseIcon = draw('pause', 'M6 5h4v14H6zm8 0h4v14h-4z');
