import { UsageError } from '../../base/errors.ts';
import { inheritedDescriptors } from '../../kernel/descriptors.ts';
import { executableOf } from '../../kernel/process.ts';
import type { Policy } from '../../policy/model.ts';
import { parseBackend } from '../../record/backend.ts';
import type { Completeness } from '../../record/completeness.ts';
import { toolChainNote } from '../../record/executables.ts';
import { type RecordOptions, recordToFiles } from '../../record/files.ts';
import { exitCodeOf } from '../../record/notify.ts';
import { parsePhase } from '../../record/ready-sign.ts';
import type { WrittenRecording } from '../../record/results.ts';
import type { Rounds } from '../../record/rounds.ts';
import type { CommandEntry } from '../command.ts';
import { completenessLines } from '../completeness-text.ts';
import { say, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';
import type { ProgressLines } from '../progress.ts';

const EXAMPLE = `
selkie record ./makeTheFolder                      writes makeTheFolder.yaml and makeTheFolder.evidence.json
selkie record -o web.yaml ./server -listen :8080   stop it with Ctrl-C: what was seen is written
selkie record --merge ./makeTheFolder other input  adds what another run shows
selkie record --runs 20 ./makeTheFolder            runs it 20 times, and says how likely the next run needs more
selkie record --import trace.log                   makes the same files of a log, here trace.yaml
selkie record --container web                      what a container calls, until it ends or Ctrl-C (root)
`;

interface Options {
  readonly output?: string;
  readonly merge?: boolean;
  readonly force?: boolean;
  readonly runs?: string;
  readonly phase?: string;
  readonly coarse?: boolean;
  readonly untilStable?: boolean;
  readonly progress?: string;
  readonly floor: boolean;
  readonly backend: string;
  readonly pid?: string;
  readonly children?: boolean;
  readonly import?: boolean;
  readonly format?: string;
  readonly exe?: string;
  readonly cgroup?: string;
  readonly container?: string;
  readonly args?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `selkie record CMD...`: exits as the command did. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('[cmd...]', 'the command with its arguments; with --import: logs')
    .option('-o, --output <file>', 'the policy to write (default: ./BASENAME.yaml); the evidence goes beside it')
    .option('--merge', 'add to files that exist')
    .option('--force', 'replace files that exist')
    .option('--import', 'read logs of strace, audit, perf trace or bpftrace instead of running a command')
    .option('--format <name>', 'with --import: strace, audit, perf or bpftrace (default: auto, by content)')
    .option('--args', 'rules with conditions: only arguments like those that were seen (docs/arguments.md)')
    .option('--exe <name>', 'keep only what this executable calls, by its path or the last part of it')
    .option('--runs <n>', 'run the command n times')
    .option(
      '--until-stable',
      'run it until a further run needs more in at most 10 % (95 % sure), or n times (default: 100)',
    )
    .option(
      '--phase <sign>',
      'ready=listen, fd:N, line:TEXT, signal:USR1 or port:N: what it needs once it is ready goes under service: too',
    )
    .option('--progress <file>', 'a line each second on how far it is: to a file, another terminal, or /dev/stderr')
    .option('--coarse', 'named sets instead of names where a third of a set was seen')
    .option('--no-floor', 'only what this run shows, not what the runtime may need in any run')
    .option('--backend <name>', 'who sees the calls: notify and ptrace need no rights, ebpf needs root', 'auto')
    .option('--pid <pid>', 'a process that runs already, until it ends or Ctrl-C (ebpf)')
    .option('--children', 'with --pid: and what it starts from now on')
    .option('--cgroup <path>', 'all that is or comes into a cgroup (v2), until it is removed or Ctrl-C (ebpf)')
    .option('--container <name>', 'the same for the cgroup of a container, by name or id; no daemon is asked')
    .option('--json', 'one JSON object at the end, on stderr')
    .option('-q, --quiet', 'say nothing')
    .passThroughOptions();
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const { json, quiet, progress, exe } = parsed.options;
  if (parsed.options.import) return (await import('../import-logs.ts')).importLogs(parsed.operands, parsed.options);
  // Before files are opened, for progress or by imports in other threads.
  const descriptors = inheritedDescriptors();
  const lines = progress === undefined ? undefined : await progressLines(progress);
  const written = await recordToFiles({
    ...(await recordOptions(parsed.operands, parsed.options)),
    descriptors,
    ...(lines ? { onProgress: (seen) => lines.see(seen) } : {}),
  }).finally(() => lines?.close());
  const note = exe === undefined && !quiet && !json ? toolChainNote(written.recording) : undefined;
  if (note !== undefined) sayNote(note);
  if (written.recording.isReady === false && !json)
    sayNote(`the command was never ready (--phase ${parsed.options.phase}): what it did is not in service:`);
  if (json) say(toJson(await summary(written)));
  else if (!quiet) say(await describe(written, (parsed.options.cgroup ?? parsed.options.container) === undefined));
  if (written.recording.error) throw written.recording.error;
  return exitCodeOf(written.recording.status);
}

async function progressLines(file: string): Promise<ProgressLines> {
  const { ProgressLines } = await import('../progress.ts');
  return new ProgressLines(file);
}

async function recordOptions(command: readonly string[], options: Options): Promise<RecordOptions> {
  const { output, merge, force, floor, backend, exe, args = false, phase, coarse } = options;
  const existing = force ? 'force' : merge ? 'merge' : undefined;
  return {
    ...(await target(command, options)),
    floor,
    args,
    backend: parseBackend(backend),
    rounds: await roundsOf(options),
    ...(phase === undefined ? {} : { ready: parsePhase(phase) }),
    ...(coarse ? { isCoarse: true } : {}),
    ...(output === undefined ? {} : { output }),
    ...(exe === undefined ? {} : { exe }),
    ...(existing === undefined ? {} : { existing }),
  };
}

async function roundsOf({ runs, untilStable, pid, cgroup, container }: Options): Promise<Rounds> {
  if ((pid ?? cgroup ?? container) !== undefined && (runs !== undefined || untilStable))
    throw new UsageError(
      'bad_usage',
      'Cannot record what runs already several times: leave --runs and --until-stable out',
    );
  if (runs !== undefined && !/^[1-9]\d{0,5}$/.test(runs))
    throw new UsageError('bad_usage', `Cannot record '${runs}' runs: wanted a number from 1 to 999999`);
  if (!untilStable) return { most: Number(runs ?? 1) };
  const { STABLE_BOUND, STABLE_MOST } = await import('../../record/rounds.ts');
  return { most: Number(runs ?? STABLE_MOST), bound: STABLE_BOUND };
}

/**
 * What is recorded; a process is named by its executable, a cgroup by its folder, a container as the user does.
 *
 * @throws {UsageError} `usage` not one of them; those of findCgroup and findContainer
 */
async function target(
  command: readonly string[],
  { pid, cgroup, container, children = false }: Options,
): Promise<Pick<RecordOptions, 'command' | 'running'>> {
  const given = [command.length > 0, pid, cgroup, container].filter((way) => way !== undefined && way !== false);
  if (given.length !== 1) {
    const ways = 'wanted a command, or one of --pid, --cgroup and --container';
    throw new UsageError('usage', `Cannot record: ${ways}: see selkie record --help`);
  }
  if (pid !== undefined) return processTarget(pid, children);
  if (cgroup !== undefined) {
    const { findCgroup } = await import('../../kernel/cgroups.ts');
    const found = findCgroup(cgroup);
    return { command: [found.path === '/' ? 'all' : found.path], running: { cgroup: found } };
  }
  if (container === undefined) return { command };
  const { findContainer } = await import('../../record/containers.ts');
  return { command: [container], running: { cgroup: findContainer(container).cgroup } };
}

function processTarget(pid: string, children: boolean): Pick<RecordOptions, 'command' | 'running'> {
  const path = /^[1-9]\d*$/.test(pid) ? executableOf(Number(pid)) : undefined;
  if (path === undefined)
    throw new UsageError('no_process', `Cannot record process '${pid}': there is no such process`);
  return { command: [path], running: { pid: Number(pid), children } };
}

function programNames({ recording, known }: WrittenRecording): Set<string> {
  const lines = recording.evidence.filter(({ phase }) => phase !== 'start');
  return new Set([...lines.map(({ syscall, nr }) => syscall ?? `syscall(${nr})`), ...known]);
}

interface Permitted {
  readonly permitted: readonly string[];
  readonly start: readonly string[];
  /** Absent: the policy has none. */
  readonly service?: readonly string[];
}

async function permittedOf({ start, service, ...program }: Policy): Promise<Permitted> {
  const { permittedLines } = await import('../../policy/permitted.ts');
  return {
    permitted: permittedLines(program),
    start: start ? permittedLines({ ...program, start, syscalls: [] }) : [],
    ...(service && { service: permittedLines({ ...program, syscalls: service }) }),
  };
}

/** Names of what permittedLines lists, without conditions and ABIs. */
const callsIn = (lines: readonly string[]): ReadonlySet<string> =>
  new Set(lines.map((line) => line.replace(/(?:: | \().*$/, '')));

/** Calls that `service:` leaves out. */
function onlyBefore({ permitted, service }: Permitted): readonly string[] {
  const kept = service && callsIn(service);
  return kept ? [...callsIn(permitted)].filter((call) => !kept.has(call)) : [];
}

async function summary(written: WrittenRecording): Promise<object> {
  const { recording, policy, policyFile, evidenceFile, floor, added } = written;
  const allowed = await permittedOf(policy);
  const { permitted, start, service } = allowed;
  return {
    policy: policyFile,
    evidence: evidenceFile,
    status: recording.status,
    calls: recording.calls,
    boundary: recording.boundary,
    backend: recording.backend,
    why: recording.why,
    unseen: recording.unseen,
    executables: recording.images,
    runtime: floor?.runtime ?? null,
    recorded: [...programNames(written)].sort(),
    permitted,
    start,
    known: written.known,
    ...(service && { service, startUpOnly: onlyBefore(allowed) }),
    ...(recording.isReady === undefined ? {} : { ready: recording.isReady }),
    added,
    completeness: await judge(written),
  };
}

/** With --args: which calls have conditions, and which have none though their arguments were seen. */
function conditionLines({ policy, evidence }: WrittenRecording): readonly string[] {
  const seen = evidence.flatMap(({ condition, phase, syscall = '' }) =>
    condition !== null && phase !== 'start' ? [syscall] : [],
  );
  if (seen.length === 0) return [];
  const rules = policy.syscalls.filter(({ condition }) => condition !== undefined);
  const closed = new Set(rules.flatMap(({ call }) => (call.kind === 'name' ? [call.name] : [])));
  const open = [...new Set(seen)].filter((name) => !closed.has(name)).sort();
  const rest = open.length === 0 ? '' : `; any arguments, as the policy says why: ${open.join(' ')}`;
  return [`  conditions on the arguments of ${closed.size} ${closed.size === 1 ? 'call' : 'calls'}${rest}`];
}

async function judge({ policy, evidence, history }: WrittenRecording): Promise<Completeness | null> {
  const { completenessOf } = await import('../../record/completeness.ts');
  return history ? completenessOf(policy, evidence, history) : null;
}

async function describe(written: WrittenRecording, isOneProgram: boolean): Promise<string> {
  const { recording, policy, policyFile, floor, added } = written;
  const allowed = await permittedOf(policy);
  const { permitted, start, service } = allowed;
  const recorded = programNames(written);
  const calls = callsIn(permitted);
  const more = [...calls].filter((name) => !recorded.has(name)).length;
  const runtime = floor ? `, ${floor.runtime}` : '';
  const lines = [`recorded ${recorded.size} syscalls (${recording.calls} calls${runtime}) → ${policyFile}`];
  if (floor) {
    const sets = floor.sets.map((name) => `@${name}`).join(' and ');
    lines.push(`  + ${more} from ${sets} for what this run did not show (threads, memory, signals, timers, ...)`);
  }
  if (written.known.length > 0)
    lines.push(`  ${written.known.length} of them, which earlier runs showed, ran natively and were not counted`);
  if (recording.backend === 'ptrace') lines.push(`  by ptrace: ${recording.why}`);
  lines.push(...recording.unseen.map((what) => `  not seen: ${what}`));
  if (added.length > 0) lines.push(`  new in this run: ${added.join(' ')}`);
  lines.push(`  ${calls.size} permitted in all; start-up needs ${callsIn(start).size}, which seal leaves out`);
  if (service) {
    const before = onlyBefore(allowed);
    lines.push(
      `  ${callsIn(service).size} of them once it is ready; start-up alone needs ${before.length}: ${before.join(' ')}`,
    );
  }
  lines.push(...conditionLines(written));
  const completeness = await judge(written);
  if (completeness) lines.push(...completenessLines(completeness));
  if (policy.syscalls.length > 0 && isOneProgram) lines.push(`  next: selkie seal -p ${policyFile} ${recording.path}`);
  return lines.join('\n');
}
