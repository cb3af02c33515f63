import type { Feature } from '../../kernel/features.ts';
import type { Examination } from './examine.ts';
import type { Verdict } from './verdicts.ts';

/** An examination as people read it. */

const WIDTH = 13;
const line = (name: string, text: string): string => `${name.padEnd(WIDTH)} ${text}`;

type Line = Omit<Verdict, 'command'> & { readonly command: string };

/** The lines on machine and place, then one for each command. */
export function examinationText(examination: Examination, verdicts: readonly Verdict[]): string {
  const { place, features } = examination;
  const user = place.uid === 0 ? 'root' : `uid ${place.uid}`;
  const lines = [
    line('kernel', `Linux ${place.release}, ${place.arch}; Node ${place.node} as ${user}`),
    line('on us', onUs(examination)),
    line('refused', refusedText(examination)),
    line('ptrace', ptraceText(place.yama)),
  ];
  for (const group of new Set(features.map((feature) => feature.group)))
    lines.push(
      ...groupText(
        group,
        features.filter((feature) => feature.group === group),
      ),
    );
  const [record = [], ...others] = verdicts.map(verdictText);
  const tracing = verdictText({ command: 'by ebpf', ...examination.tracing });
  const paths = verdictText({ command: 'paths:', ...examination.paths });
  return [...lines, '', ...record, ...tracing, ...others.flat(), ...paths].join('\n');
}

function onUs({ mode, noNewPrivs, place }: Examination): string {
  const count = place.filters === undefined ? 'filters' : `${place.filters} filter${place.filters === 1 ? '' : 's'}`;
  const filters = mode === undefined ? 'filters unknown' : mode === 0 ? 'no filter' : count;
  const privileges = noNewPrivs === undefined ? 'unknown' : noNewPrivs ? 'set' : 'not set';
  return `${filters}; no_new_privs ${privileges}`;
}

function refusedText({ refused }: Examination): string {
  if (refused.length === 0) return 'none of the calls that Selkie makes';
  return refused.map(({ call, answer }) => `${call} (${answer})`).join(', ');
}

const PTRACE_SCOPES = ['as without Yama', 'descendants only', 'with CAP_SYS_PTRACE only', 'nobody'];
function ptraceText(yama: number | undefined): string {
  return yama === undefined ? 'no Yama' : `Yama ptrace_scope ${yama}: ${PTRACE_SCOPES[yama] ?? 'unknown'}`;
}

/** What is there in one line, each thing that is not in its own. */
function groupText(group: string, features: readonly Feature[]): readonly string[] {
  const there = features.filter(({ answer }) => answer === 'yes').map(named);
  const missing = features.filter(({ answer }) => answer !== 'yes');
  return [
    line(group, there.join(', ') || 'none'),
    ...missing.map((feature) => {
      const detail = feature.detail === undefined ? '' : `: ${feature.detail}`;
      const since = feature.since === undefined ? '' : ` (Linux ${feature.since})`;
      return line('', `${feature.answer === 'no' ? 'no' : 'cannot tell:'} ${feature.name}${detail}${since}`);
    }),
  ];
}

function named({ name, detail }: Feature): string {
  return detail === undefined ? name : `${name} (${detail})`;
}

function verdictText({ command, works, because, todo, note }: Line): readonly string[] {
  if (works) return [line(command, note === undefined ? 'works' : `works; ${note}`)];
  return [line(command, `does not work, because ${because}; what to do: ${todo}`)];
}
