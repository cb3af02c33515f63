import { PolicyError } from '../../base/errors.ts';
import type { Program } from '../../bpf/instruction.ts';
import { compilePolicy, compileService } from '../../compile/compile-policy.ts';
import type { ArchName } from '../../facts/arches.ts';
import { syscallNumber } from '../../facts/syscalls.ts';
import type { Policy } from '../../policy/model.ts';
import { refusePaths } from '../../policy/paths.ts';
import { permittedLines } from '../../policy/permitted.ts';
import { setMembers } from '../../policy/sets.ts';
import type { FormatInput, FormatOutput, OutputFile } from '../format.ts';
import { loaderSource } from './loader.ts';
import { type GoNames, goNames } from './names.ts';
import { type Heading, headingSource, otherSource } from './other.ts';

/** The ABIs that Go programs run in, and what Go calls them. */
const TARGETS: readonly { readonly arch: ArchName; readonly goarch: string }[] = [
  { arch: 'x86_64', goarch: 'amd64' },
  { arch: 'aarch64', goarch: 'arm64' },
];

const OTHER_FILE = 'selkie_other.go';
const fileOf = (goarch: string): string => `selkie_linux_${goarch}.go`;

/**
 * A policy as Go source: a file for each of its ABIs that Go has, and one for everything else. Its `start:` is left out, for the
 * filter takes effect inside the running program.
 *
 * @throws {PolicyError} `wrong_arch` for a policy without such an ABI; `compilePolicy` says the rest
 * @throws {UsageError} `bad_name`
 */
export function write(input: FormatInput): FormatOutput {
  const names = goNames(input.options.package ?? '', input.options.func ?? '');
  const arches = input.policy.arches ?? ['x86_64'];
  const targets = TARGETS.filter(({ arch }) => arches.includes(arch));
  if (targets.length === 0) {
    const wanted = 'add x86_64 or aarch64 to arches';
    throw new PolicyError('wrong_arch', `this policy is for ${arches.join(', ')}, Go source is for others: ${wanted}`);
  }
  refusePaths(input.policy, 'are not in Go source: seal the binary, or start it by run or a launcher');
  const { program, notes } = compilePolicy(input.policy, { arches, includeStart: false, probe: true });
  const service = input.policy.service && compileService(input.policy, { arches });
  const heading = headingOf(input, names);
  const goarches = targets.map(({ goarch }) => goarch);
  const files: OutputFile[] = targets.map(({ arch, goarch }) => ({
    name: fileOf(goarch),
    text:
      headingSource(heading) +
      loaderSource({
        names,
        arch,
        goarch,
        program,
        ...(service && { service: service.program }),
        policyDigest: input.policyDigest,
        permitted: permitted(input, arch),
      }),
  }));
  files.push({ name: OTHER_FILE, text: otherSource(heading, goarches, service !== undefined) });
  return {
    files,
    absent: TARGETS.filter((target) => !targets.includes(target)).map(({ goarch }) => fileOf(goarch)),
    notes: [
      ...(input.policy.arches ? [] : ['no arches in the policy: compiled for x86_64']),
      ...notes,
      ...(service?.notes.filter((note) => !notes.includes(note)) ?? []),
      ...floorNotes(
        input.policy,
        targets.map(({ arch }) => arch),
      ),
    ],
  };
}

/** The program inside Go source that `write` made, for those who want to hold it against the policy. */
export function readProgram(source: string): Program {
  const [own = ''] = source.split('\nvar selkieServiceProgram ');
  const rows = own.matchAll(/^\t\{(0x\w+), (\d+), (\d+), (0x\w+)\},$/gm);
  return [...rows].map(([, code, jt, jf, k]) => ({ code: Number(code), jt: Number(jt), jf: Number(jf), k: Number(k) }));
}

function headingOf({ policy, policyDigest, policyPath, options }: FormatInput, names: GoNames): Heading {
  const words = ['--to', 'go', '--package', options.package ?? '', '--func', options.func ?? '', '--force', '-o', '.'];
  return {
    names,
    policyDigest,
    ...(policy.name === undefined ? {} : { policyName: policy.name }),
    ...(policyPath === undefined ? {} : { command: ['selkie', 'convert', policyPath, ...words] }),
  };
}

/** What takes effect of the policy on one ABI, a line a call. */
function permitted({ policy }: FormatInput, arch: ArchName): readonly string[] {
  const { start: _start, ...inside } = policy;
  return permittedLines(inside, [arch]).filter((line) => {
    const name = /^\w+(?=$|:)/.exec(line)?.[0];
    return name === undefined || syscallNumber(arch, name) !== undefined;
  });
}

/** A list without what Go's runtime may need makes programs fail now and then. */
function floorNotes(policy: Policy, arches: readonly ArchName[]): readonly string[] {
  if (policy.default.kind === 'allow' || policy.default.kind === 'log') return [];
  const named = arches.map((arch) => new Set(permittedLines(policy, [arch]).map((line) => line.replace(/:.*/, ''))));
  const floor = (setMembers(policy.sets, 'go') ?? []).map(({ name }) => name);
  const missing = floor.filter((name) => !named.every((names) => names.has(name)));
  if (missing.length === 0) return [];
  return [`Go's runtime may need calls that the policy does not permit (${missing.join(', ')}): add "@go" to allow`];
}
