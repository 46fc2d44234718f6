import { Clipboard } from '@jupyterlab/apputils';
import React, { useEffect, useMemo, useRef, useState } from 'react';
import * as api from '../api';
import { useServices } from '../form/services';
import { plainText, splitByHits } from './text';

const PAUSE_MS = 1000;
const TAIL_BYTES = 64 * 1024;
/** The log in the browser is cut at its beginning. */
const MAX_CHARACTERS = 500_000;
const MAX_HITS = 500;

/** The end of a job's log, which follows the run. */
export function Log({ jobId, status }: { jobId: string; status: string }): JSX.Element {
  const { trans } = useServices();
  const [text, setText] = useState<string>();
  const [problem, setProblem] = useState('');
  const [follows, setFollows] = useState(true);
  const [search, setSearch] = useState('');
  const [current, setCurrent] = useState(0);
  const shown = useRef<HTMLPreElement>(null);
  const offset = useRef(-TAIL_BYTES);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isCurrent = true;
    const read = async () => {
      if (!document.hidden) {
        try {
          const part = await api.readLog(jobId, offset.current);
          if (!isCurrent) {
            return;
          }
          offset.current = part.next_offset;
          setText((before = '') => (before + part.text).slice(-MAX_CHARACTERS));
          setProblem('');
          if (part.ended) {
            return;
          }
        } catch (error) {
          setProblem((error as Error).message);
        }
      }
      if (isCurrent) {
        timer = setTimeout(() => void read(), PAUSE_MS);
      }
    };
    if (follows) {
      void read();
    }
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [jobId, follows, status]);

  const plain = useMemo(() => plainText(text ?? ''), [text]);
  const parts = useMemo(() => splitByHits(plain, search, MAX_HITS), [plain, search]);
  const hits = (parts.length - 1) / 2;
  useEffect(() => {
    const hit = search && shown.current?.querySelectorAll('mark')[current];
    if (hit) {
      hit.scrollIntoView({ block: 'nearest' });
    } else if (follows && shown.current) {
      shown.current.scrollTop = shown.current.scrollHeight;
    }
  }, [parts, search, current, follows]);

  return (
    <section className="jp-argo-Log" aria-label={trans.__('Log')}>
      <div className="jp-argo-Bar">
        <h3>{trans.__('Log')}</h3>
        <label className="jp-argo-Check">
          <input type="checkbox" checked={follows} onChange={(event) => setFollows(event.target.checked)} />
          {trans.__('Follow')}
        </label>
        <input
          className="jp-mod-styled"
          type="search"
          aria-label={trans.__('Search the log')}
          placeholder={trans.__('Search the log')}
          value={search}
          onChange={(event) => {
            setSearch(event.target.value);
            setCurrent(0);
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') {
              event.preventDefault(); // the stock page has a form around it
              setCurrent(hits ? (current + (event.shiftKey ? hits - 1 : 1)) % hits : 0);
            }
          }}
        />
        <span role="status">{search && trans.__('%1 of %2', hits && current + 1, hits)}</span>
        <button type="button" className="jp-mod-styled" onClick={() => Clipboard.copyToSystem(plain)} disabled={!plain}>
          {trans.__('Copy')}
        </button>
      </div>
      {problem && <p className="jp-argo-Error">{problem}</p>}
      <pre ref={shown} tabIndex={0} dir="auto" aria-label={trans.__('Text of the log')}>
        {parts.map((part, index) =>
          index % 2 ? (
            <mark key={index} className={(index - 1) / 2 === current ? 'jp-mod-current' : ''}>
              {part}
            </mark>
          ) : (
            part
          ),
        )}
        {!plain && (text === undefined ? trans.__('Loading …') : trans.__('The log is empty so far.'))}
      </pre>
    </section>
  );
}
