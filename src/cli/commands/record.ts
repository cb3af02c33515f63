import type { Policy } from '../../policy/model.ts';
import { toolChainNote } from '../../record/executables.ts';
import { recordToFiles } from '../../record/files.ts';
import { exitCodeOf } from '../../record/notify.ts';
import type { Recording } from '../../record/record.ts';
import type { WrittenRecording } from '../../record/results.ts';
import type { CommandEntry } from '../command.ts';
import { say, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie record ./makeTheFolder                      writes makeTheFolder.yaml and makeTheFolder.evidence.json
selkie record -o web.yaml ./server -listen :8080   stop it with Ctrl-C: what was seen is written
selkie record --merge ./makeTheFolder other input  adds what another run shows
selkie record --import trace.log                   makes the same files of a log, here trace.yaml
`;

interface Options {
  readonly output?: string;
  readonly merge?: boolean;
  readonly force?: boolean;
  readonly floor: boolean;
  readonly import?: boolean;
  readonly format?: string;
  readonly exe?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `selkie record CMD...`: exits as the command did. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<cmd...>', 'the command with its arguments; with --import: logs')
    .option('-o, --output <file>', 'the policy to write (default: ./BASENAME.yaml); the evidence goes beside it')
    .option('--merge', 'add to files that exist')
    .option('--force', 'replace files that exist')
    .option('--import', 'read logs of strace, audit, perf trace or bpftrace instead of running a command')
    .option('--format <name>', 'with --import: strace, audit, perf or bpftrace (default: auto, by content)')
    .option('--exe <name>', 'keep only what this executable calls, by its path or the last part of it')
    .option('--no-floor', 'only what this run shows, not what the runtime may need in any run')
    .option('--json', 'one JSON object at the end, on stderr')
    .option('-q, --quiet', 'say nothing')
    .passThroughOptions();
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const { output, merge, force, floor, json, quiet } = parsed.options;
  const existing = force ? 'force' : merge ? 'merge' : undefined;
  if (parsed.options.import) return (await import('../import-logs.ts')).importLogs(parsed.operands, parsed.options);
  const written = await recordToFiles({
    command: parsed.operands,
    floor,
    ...(parsed.options.exe === undefined
      ? { onRecorded: (recording: Recording) => quiet || json || noteToolChain(recording) }
      : { exe: parsed.options.exe }),
    ...(output === undefined ? {} : { output }),
    ...(existing === undefined ? {} : { existing }),
  });
  if (json) say(toJson(await summary(written)));
  else if (!quiet) say(await describe(written));
  if (written.recording.error) throw written.recording.error;
  return exitCodeOf(written.recording.status);
}

function noteToolChain(recording: Recording): void {
  const note = toolChainNote(recording);
  if (note !== undefined) sayNote(note);
}

function programNames({ recording }: WrittenRecording): Set<string> {
  const lines = recording.evidence.filter(({ phase }) => phase === 'program');
  return new Set(lines.map(({ syscall, nr }) => syscall ?? `syscall(${nr})`));
}

async function permittedOf({ start, ...program }: Policy): Promise<{ permitted: string[]; start: string[] }> {
  const { permittedLines } = await import('../../policy/permitted.ts');
  return {
    permitted: permittedLines(program),
    start: start ? permittedLines({ ...program, start, syscalls: [] }) : [],
  };
}

async function summary(written: WrittenRecording): Promise<object> {
  const { recording, policy, policyFile, evidenceFile, floor, added } = written;
  const { permitted, start } = await permittedOf(policy);
  return {
    policy: policyFile,
    evidence: evidenceFile,
    status: recording.status,
    calls: recording.calls,
    boundary: recording.boundary,
    executables: recording.images,
    runtime: floor?.runtime ?? null,
    recorded: [...programNames(written)].sort(),
    permitted,
    start,
    added,
  };
}

async function describe(written: WrittenRecording): Promise<string> {
  const { recording, policy, policyFile, floor, added } = written;
  const { permitted, start } = await permittedOf(policy);
  const recorded = programNames(written);
  const more = permitted.length - permitted.filter((name) => recorded.has(name)).length;
  const runtime = floor ? `, ${floor.runtime}` : '';
  const lines = [`recorded ${recorded.size} syscalls (${recording.calls} calls${runtime}) → ${policyFile}`];
  if (floor) {
    const sets = floor.sets.map((name) => `@${name}`).join(' and ');
    lines.push(`  + ${more} from ${sets} for what this run did not show (threads, memory, signals, timers, ...)`);
  }
  if (added.length > 0) lines.push(`  new in this run: ${added.join(' ')}`);
  lines.push(`  ${permitted.length} permitted in all; start-up needs ${start.length}, which seal leaves out`);
  lines.push('  not known: errors, signals, other inputs. Run it again with --merge.');
  if (policy.syscalls.length > 0) lines.push(`  next: selkie seal -p ${policyFile} ${recording.path}`);
  return lines.join('\n');
}
