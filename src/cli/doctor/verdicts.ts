import type { Feature } from '../../kernel/features.ts';
import type { Command } from '../../kernel/needed-calls.ts';
import type { Examination, Fault } from './examine.ts';

/** What the commands do here: each was tried; the answers to the probes say why one does not work, and what to do. */

export interface Verdict {
  readonly command: Command;
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
  const { faults } = examination;
  return [
    verdict('record', faults.record, examination, tracingNote(examination) ?? boundaryNote(examination)),
    verdict('run', faults.library ?? faults.run, examination, entryNote(examination)),
    verdict('seal', faults.seal, examination),
    verdict('confine', faults.library ?? threadsFault(examination), examination),
    verdict('explain', faults.explain, examination, siteNote(examination)),
    verdict('lift', faults.lift, examination, processNote(examination)),
  ];
}

function verdict(command: Command, fault: Fault, examination: Examination, note?: string): Verdict {
  if (fault === undefined) return { command, works: true, because: undefined, todo: undefined, note };
  for (const causeOf of CAUSES) {
    const cause = causeOf(examination, command);
    if (cause !== undefined) return { command, works: false, ...cause, note: undefined };
  }
  const todo = 'nobody foresaw this: please report it with the output of selkie doctor --json';
  return { command, works: false, because: fault, todo, note: undefined };
}

/** What can stop a command; the first that is so here is named. */
const CAUSES: readonly ((examination: Examination, command: Command) => Cause | undefined)[] = [
  library,
  proc,
  refusedCall,
  pretence,
  noFilters,
  memory,
  listener,
  entry,
];

const OWN_LISTENER = 'a listener of our own';

function find(examination: Examination, name: string): Feature | undefined {
  return examination.features.find((feature) => feature.name === name);
}

function threadsFault(examination: Examination): Fault {
  const threads = find(examination, 'for all threads at once');
  return threads?.answer === 'yes' ? undefined : `seccomp(SECCOMP_FILTER_FLAG_TSYNC): ${threads?.detail}`;
}

function library({ faults }: Examination, command: Command): Cause | undefined {
  // A sealed program needs nothing of Selkie.
  if (faults.library === undefined || command === 'seal') return undefined;
  return {
    because: `Selkie cannot call the kernel from Node: ${faults.library}`,
    todo: 'Node with the package @koromix/koffi-linux-x64, which npm installs',
  };
}

function proc({ place }: Examination, command: Command): Cause | undefined {
  if (place.hasProc || command === 'seal' || command === 'confine') return undefined;
  return { because: '/proc is not mounted, or it is that of another pid namespace', todo: 'mount -t proc proc /proc' };
}

function refusedCall(examination: Examination, command: Command): Cause | undefined {
  const refused = examination.refused.find(
    ({ commands, kills }) => commands.includes(command) || kills.includes(command),
  );
  if (refused === undefined) return undefined;
  return { because: `${whoRefuses(examination)} refuses ${refused.call}: ${refused.answer}`, todo: permit(command) };
}

function needsListener(command: Command): boolean {
  return command === 'record' || command === 'explain' || command === 'lift';
}

function whoRefuses({ mode }: Examination): string {
  return mode === 2 ? 'a filter that is on this process already' : 'a filter or a security module';
}

function permit(command: Command): string {
  const way = 'start this container or sandbox with a profile that permits it';
  return needsListener(command) ? `${way}, or do it elsewhere and carry the policy here` : way;
}

/** An outer filter says yes to seccomp(2), and nothing is installed. */
function pretence(examination: Examination, command: Command): Cause | undefined {
  if (find(examination, 'in force when installed')?.answer !== 'no') return undefined;
  return {
    because: 'something answers seccomp(2) in the place of the kernel: it says yes, and no filter is in force',
    todo: permit(command),
  };
}

function noFilters(examination: Examination, command: Command): Cause | undefined {
  const isSupervising = command === 'run' || needsListener(command);
  const filters = find(examination, isSupervising ? 'filters' : 'for all threads at once');
  if (filters?.answer === 'yes') return undefined;
  return {
    because: `this kernel takes no filter: ${filters?.detail}`,
    todo: `Linux ${filters?.since} or newer with CONFIG_SECCOMP_FILTER`,
  };
}

function memory(examination: Examination, command: Command): Cause | undefined {
  const execution = find(examination, 'execution from memory (memfd)');
  if (execution?.answer === 'yes' || command === 'seal' || command === 'confine') return undefined;
  return {
    because: `a program in memory (memfd) cannot be executed: ${execution?.detail}`,
    todo: 'sysctl vm.memfd_noexec=0, or permit it in the security module',
  };
}

function listener(examination: Examination, command: Command): Cause | undefined {
  const own = find(examination, OWN_LISTENER);
  if (own?.answer === 'yes' || !needsListener(command)) return undefined;
  if (own?.detail === 'EBUSY')
    return {
      because:
        'another supervisor (an agent of the container, or Selkie) listens already: EBUSY, one is all that the kernel permits',
      todo: 'do it outside of that supervisor; run, seal and confine need no listener',
    };
  if (find(examination, 'user_notif')?.answer === 'no')
    return {
      because: 'this kernel has no user notification',
      todo: 'Linux 5.5 or newer; policies that were recorded elsewhere work here',
    };
  const flag = 'seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER)';
  return { because: `${whoRefuses(examination)} refuses ${flag}: ${own?.detail}`, todo: permit(command) };
}

/** `run` ends `start:` at the command's entry by a listener, or by ptrace. */
function entry(examination: Examination, command: Command): Cause | undefined {
  const [own, traced] = [find(examination, OWN_LISTENER), find(examination, 'ptrace of a child')];
  if (command !== 'run' || own?.answer === 'yes' || traced?.answer === 'yes') return undefined;
  return {
    because: `start: cannot be ended at the entry of a command: no listener (${own?.detail}), and no ptrace (${traced?.detail})`,
    todo: 'run --simple, which keeps start: in force, or seal the program',
  };
}

function entryNote(examination: Examination): string | undefined {
  if (find(examination, OWN_LISTENER)?.answer === 'yes') return undefined;
  return 'start: ends by ptrace, because user notification does not work here';
}

const NOT_LOOKED = 'what may be seen of a child was not tried, because a filter kills for one of the calls';

function boundaryNote({ view }: Examination): string | undefined {
  if (view === undefined) return NOT_LOOKED;
  if (view.memoryRead && view.memoryWrite) return undefined;
  return '/proc/PID/mem of a child cannot be written: where the start of a dynamic program ends is told by instruction pointers';
}

function tracingNote({ faults }: Examination): string | undefined {
  return faults.explain === undefined ? undefined : 'by ptrace, because user notification does not work here';
}

function siteNote({ view }: Examination): string | undefined {
  if (view === undefined) return NOT_LOOKED;
  if (view.syscallFile && (view.memoryRead || view.processVmReadv)) return undefined;
  return 'memory and registers of a child cannot be read: call sites stay unknown';
}

/** The way that needs no privileges is the command's; the other one is told of. */
function processNote({ view }: Examination): string | undefined {
  if (view === undefined) return NOT_LOOKED;
  if (view.filtersRefused === undefined) return undefined;
  return `the filters of running processes (pid:N) cannot be read: ${view.filtersRefused}`;
}
