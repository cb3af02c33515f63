import { requireFree } from '../../apply/replace-file.ts';
import { UsageError } from '../../base/errors.ts';
import { encodeProgram } from '../../bpf/codec.ts';
import { isConstantAllow } from '../../bpf/constant-allow.ts';
import type { Program } from '../../bpf/instruction.ts';
import { compilePolicy, compileService } from '../../compile/compile-policy.ts';
import { ARCHES, type ArchName } from '../../facts/arches.ts';
import { syscallNames, syscallNumber } from '../../facts/syscalls.ts';
import { writeFileAtomically } from '../../kernel/files.ts';
import { NATIVE_ARCH } from '../../kernel/native.ts';
import { callCounts } from '../../load/counts.ts';
import { loadPolicy } from '../../load/filter.ts';
import type { CommandEntry } from '../command.ts';
import { print, say, sayNote, toJson } from '../output.ts';
import { commandParser, parseWords } from '../parser.ts';

const EXAMPLE = `
selkie compile web.yaml -o web.bpf                          struct sock_filter records, as seccomp(2) and bwrap --seccomp take them
selkie compile docker.json -o docker.bpf --stats            how large it is, and what the kernel's bitmap serves
selkie compile web.yaml -o web.bpf --evidence web.evidence.json    short ways for the calls that were seen most
`;

interface Options {
  readonly output?: string;
  readonly stats?: boolean;
  readonly evidence?: string;
  readonly start?: boolean;
  readonly service?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `selkie compile POLICY [-o FILE]`: the program, proven equal to the policy before it is written. */
export async function run(words: readonly string[], entry: CommandEntry): Promise<number> {
  const parser = commandParser(entry, EXAMPLE)
    .argument('<policy>', 'a policy, a seccomp profile, or - for standard input')
    .option('-o, --output <file>', 'where to write the program; without it only what --stats says')
    .option('--stats', 'say how large the program is and which calls it serves how')
    .option('--evidence <file>', 'arrange the program by how often calls were seen (FILE.evidence.json of record)')
    .option('--start', 'take the rules of start: in too')
    .option('--service', 'the program of service: instead, which goes over the other one')
    .option('--force', 'replace a file that exists')
    .option('--json', 'one JSON object: the stats');
  const parsed = parseWords<Options>(parser, words);
  if (!parsed) return 0;
  const { output, evidence, start, service, force, json } = parsed.options;
  if (output !== undefined) requireFree({ path: output, force: force === true });
  const readingNotes: string[] = [];
  const policy = loadPolicy(parsed.operands[0] as string, { onNote: (note) => readingNotes.push(note) });
  const arches = policy.arches ?? [NATIVE_ARCH];
  if (service && start)
    throw new UsageError('bad_usage', 'Cannot compile --start with --service: start-up is over then: leave one out');
  const weighed = { arches, ...(evidence !== undefined && { counts: callCounts(evidence) }) };
  const { program, notes } = service
    ? compileService(policy, weighed)
    : compilePolicy(policy, { ...weighed, includeStart: start === true });
  if (output !== undefined) writeFileAtomically(output, encodeProgram(program));
  const stats = {
    output,
    instructions: program.length,
    proven: true,
    abis: arches.map((arch) => abiStats(program, arch)),
  };
  if (json) print(toJson(stats));
  else {
    // Those of a profile's reading hold what compiling says again, name by name.
    if (policy.paths)
      sayNote('paths: are not in a program of seccomp: run, launcher and seal put them in force beside the filter');
    for (const note of readingNotes.length > 0 ? readingNotes : notes) sayNote(note);
    if (output !== undefined) say(`${output}: ${program.length} instructions, proven equal to the policy`);
    if (parsed.options.stats || output === undefined) print(statsText(stats));
  }
  return 0;
}

interface AbiStats {
  readonly arch: ArchName;
  readonly calls: number;
  /** Calls that the kernel's bitmap serves: allowed whatever their arguments. */
  readonly alwaysAllowed: number;
}

function abiStats(program: Program, arch: ArchName): AbiStats {
  const names = syscallNames(arch);
  const always = names.filter((name) =>
    isConstantAllow(program, ARCHES[arch].token, syscallNumber(arch, name) as number),
  );
  return { arch, calls: names.length, alwaysAllowed: always.length };
}

function statsText({
  instructions,
  abis,
}: {
  readonly instructions: number;
  readonly abis: readonly AbiStats[];
}): string {
  const lines = abis.map(
    ({ arch, calls, alwaysAllowed }) =>
      `${arch}: ${alwaysAllowed} of ${calls} calls are always allowed, and so served by the kernel's bitmap (Linux 5.11+${arch === 'x32' ? '; not for x32' : ''})`,
  );
  return [`${instructions} instructions, proven equal to the policy`, ...lines].join('\n');
}
