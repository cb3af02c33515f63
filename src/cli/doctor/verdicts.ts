import type { Feature } from '../../kernel/features.ts';
import type { Examination, Fault } from './examine.ts';

/** What the commands do here: each was tried; the answers to the probes say why one does not work, and what to do. */

export interface Verdict {
  readonly command: 'record' | 'run' | 'seal' | 'confine' | 'explain';
  readonly works: boolean;
  readonly because: string | undefined;
  readonly todo: string | undefined;
  /** What is less than it could be though it works. */
  readonly note: string | undefined;
}

/** A reason why something does not work, and the way out. */
interface Cause {
  readonly because: string;
  readonly todo: string;
}

/** Judges every command. */
export function verdictsOf(examination: Examination): readonly Verdict[] {
  const { faults, features } = examination;
  const threads = features.find(({ name }) => name === 'for all threads at once');
  const confine: Fault =
    faults.library ?? (threads?.answer === 'yes' ? undefined : `seccomp(TSYNC): ${threads?.detail}`);
  return [
    verdict('record', faults.record, examination, boundaryNote(examination)),
    verdict('run', faults.library ?? faults.run, examination, undefined),
    verdict('seal', faults.seal, examination, undefined),
    verdict('confine', confine, examination, undefined),
    verdict('explain', faults.record, examination, siteNote(examination)),
  ];
}

/** Which causes can stop which command, the first that is there first. */
const CAUSES: Readonly<Record<Verdict['command'], readonly ((examination: Examination) => Cause | undefined)[]>> = {
  record: [library, proc, filterRefused, memory, listener],
  run: [library, proc, filterRefused, memory],
  seal: [filterRefused],
  confine: [library, filterRefused],
  explain: [library, proc, filterRefused, memory, listener],
};

function verdict(
  command: Verdict['command'],
  fault: Fault,
  examination: Examination,
  note: string | undefined,
): Verdict {
  if (fault === undefined) return { command, works: true, because: undefined, todo: undefined, note };
  for (const causeOf of CAUSES[command]) {
    const cause = causeOf(examination);
    if (cause !== undefined) return { command, works: false, ...cause, note: undefined };
  }
  const todo =
    examination.refused.length > 0 ? PERMIT : 'this is not foreseen: please report it with the output of doctor --json';
  return { command, works: false, because: fault, todo, note: undefined };
}

const PERMIT =
  'start this container or sandbox with a seccomp profile that permits these calls, or record elsewhere: policies and sealed binaries can be carried';

function find(examination: Examination, name: string): Feature | undefined {
  return examination.features.find((feature) => feature.name === name);
}

function library({ faults }: Examination): Cause | undefined {
  if (faults.library === undefined) return undefined;
  return {
    because: `Selkie cannot talk to the kernel from Node: ${faults.library}`,
    todo: 'run it with Node on Linux x64, installed by npm with its optional packages; sealed binaries need none of it',
  };
}

function proc({ place }: Examination): Cause | undefined {
  if (place.hasProc) return undefined;
  return { because: '/proc is not mounted here, or not that of this pid namespace', todo: 'mount -t proc proc /proc' };
}

/** No filter can be installed at all. */
function filterRefused(examination: Examination): Cause | undefined {
  const filters = find(examination, 'for all threads at once');
  if (filters?.answer === 'yes') return undefined;
  const refused = examination.refused.filter(({ call }) => /^(prctl|seccomp)\(.*(NO_NEW_PRIVS|FILTER)/.test(call));
  if (refused.length > 0) {
    const calls = refused.map(({ call, answer }) => `${call}: ${answer}`).join(', ');
    return { because: `${whoseFilter(examination)} refuses ${calls}`, todo: PERMIT };
  }
  if (find(examination, 'filters')?.answer === 'yes' && filters?.detail !== undefined)
    return {
      because: `seccomp(SECCOMP_FILTER_FLAG_TSYNC): ${filters.detail}`,
      todo: 'Linux 3.17 or newer, and no outer filter that forbids it',
    };
  return {
    because: `this kernel takes no filters (${filters?.detail})`,
    todo: 'a kernel with CONFIG_SECCOMP_FILTER (every distribution has it), and no outer filter that forbids seccomp(2)',
  };
}

function whoseFilter({ mode }: Examination): string {
  return mode === 2 ? 'a filter that is on this process already' : 'something here (a filter or a security module)';
}

function memory(examination: Examination): Cause | undefined {
  const execution = find(examination, 'execution from memory (memfd)');
  if (execution?.answer === 'yes') return undefined;
  const refused = examination.refused.find(({ call }) => call === 'memfd_create' || call === 'execveat');
  if (refused)
    return { because: `${whoseFilter(examination)} refuses ${refused.call}: ${refused.answer}`, todo: PERMIT };
  return {
    because: `programs in memory (memfd) cannot be executed: ${execution?.detail}`,
    todo: 'sysctl vm.memfd_noexec=0, or permit it in the security module',
  };
}

function listener(examination: Examination): Cause | undefined {
  const own = find(examination, 'a listener of our own');
  if (own?.answer === 'yes') return undefined;
  if (own?.detail === 'EBUSY')
    return {
      because:
        'another supervisor (a container agent, or Selkie itself) listens to this process tree already: EBUSY, the kernel permits one',
      todo: 'do this outside of that supervisor; run, seal and confine need no listener',
    };
  const isOld = find(examination, 'NEW_LISTENER')?.answer === 'no' || find(examination, 'user_notif')?.answer === 'no';
  if (isOld)
    return {
      because: 'this kernel has no user notification',
      todo: 'Linux 5.5 or newer; policies recorded elsewhere and sealed binaries work here',
    };
  return {
    because: `${whoseFilter(examination)} refuses seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER): ${own?.detail}`,
    todo: PERMIT,
  };
}

function boundaryNote({ view }: Examination): string | undefined {
  if (view.memoryRead && view.memoryWrite) return undefined;
  return "a child's /proc/PID/mem cannot be written here: where a dynamic program's own code begins is told by instruction pointers";
}

function siteNote({ view }: Examination): string | undefined {
  if (view.syscallFile && (view.memoryRead || view.processVmReadv)) return undefined;
  return "a child's memory and registers cannot be read here: call sites stay unknown";
}
