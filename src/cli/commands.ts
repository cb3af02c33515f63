import type { CommandEntry } from './command.ts';

/** Every command: what `selkie --help` lists, and the module that is loaded only when it is asked for. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'record',
    usage: '[-o FILE] [--merge | --force] [--runs N] [--until-stable] CMD...',
    summary: 'run a command and write the policy of what it does',
    kind: 'command',
    load: () => import('./commands/record.ts'),
  },
  {
    name: 'run',
    usage: '-p POLICY [--print] [--explain [--json]] CMD...',
    summary: 'run a command under a policy',
    kind: 'command',
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'explain',
    usage: '[-p POLICY] [--own-filters] [--json] CMD...',
    summary: 'run a command and explain what a policy, or its own filter, denies',
    kind: 'command',
    load: () => import('./commands/explain.ts'),
  },
  {
    name: 'seal',
    usage: '-p POLICY BIN [-o OUT | --in-place]',
    summary: 'put a policy into an ELF binary, which then confines itself',
    kind: 'tool',
    load: () => import('./commands/seal.ts'),
  },
  {
    name: 'launcher',
    usage: '-p POLICY -o FILE [--simple]',
    summary: 'write a small program that confines itself and becomes its arguments, without Node',
    kind: 'tool',
    load: () => import('./commands/launcher.ts'),
  },
  {
    name: 'inspect',
    usage: 'BIN',
    summary: 'what a sealed binary, or a launcher, holds',
    kind: 'tool',
    load: () => import('./commands/inspect.ts'),
  },
  {
    name: 'unseal',
    usage: 'BIN [-o OUT | --in-place]',
    summary: 'the original of a sealed binary, byte for byte',
    kind: 'tool',
    load: () => import('./commands/unseal.ts'),
  },
  {
    name: 'compile',
    usage: 'POLICY [-o FILE] [--stats]',
    summary: 'the BPF program of a policy, proven to mean the same',
    kind: 'tool',
    load: () => import('./commands/compile.ts'),
  },
  {
    name: 'prove',
    usage: '-p POLICY PROGRAM',
    summary: 'does a program, a sealed binary or a process do exactly what a policy says?',
    kind: 'tool',
    load: () => import('./commands/prove.ts'),
  },
  {
    name: 'diff',
    usage: 'A B',
    summary: 'what one filter allows and another does not, with an example for each',
    kind: 'tool',
    load: () => import('./commands/diff.ts'),
  },
  {
    name: 'merge',
    usage: 'A B... [--from FILE] [-o OUT]',
    summary: 'the union of policies, or of evidence, in any order',
    kind: 'tool',
    load: () => import('./commands/merge.ts'),
  },
  {
    name: 'lift',
    usage: 'FILTER | -- CMD...',
    summary: 'a policy from any BPF program, a process, or what a command installs',
    kind: 'tool',
    load: () => import('./commands/lift.ts'),
  },
  {
    name: 'simulate',
    usage: '-p FILTER [CALL...]',
    summary: "the fate of a call, such as 'socket(AF_INET, SOCK_STREAM, 0)'",
    kind: 'tool',
    load: () => import('./commands/simulate.ts'),
  },
  {
    name: 'disasm',
    usage: 'FILTER',
    summary: 'the BPF program of a policy, a sealed binary or a file, readable',
    kind: 'tool',
    load: () => import('./commands/disasm.ts'),
  },
  {
    name: 'lint',
    usage: 'FILTER [--json | --format sarif]',
    summary: 'what is wrong with a filter, why, and what to do',
    kind: 'tool',
    load: () => import('./commands/lint.ts'),
  },
  {
    name: 'cost',
    usage: 'FILTER [--evidence FILE] [--measure] [--json]',
    summary: 'what a filter costs: instructions of each call, nanoseconds',
    kind: 'tool',
    load: () => import('./commands/cost.ts'),
  },
  {
    name: 'convert',
    usage: 'POLICY --to FORMAT [-o DIR]',
    summary: 'a policy in another form: Go source that confines its own process; a container profile as policy',
    kind: 'tool',
    load: () => import('./commands/convert.ts'),
  },
  {
    name: 'doctor',
    usage: '[--json]',
    summary: 'what this machine, container or sandbox permits, and which commands work here',
    kind: 'tool',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'ps',
    usage: '[--all] [--json]',
    summary: 'the processes of this machine, and which filters they have',
    kind: 'tool',
    load: () => import('./commands/ps.ts'),
  },
  {
    name: 'sets',
    usage: '[@NAME]',
    summary: 'the named sets of calls, with a reason for each call',
    kind: 'tool',
    load: () => import('./commands/sets.ts'),
  },
];

/** The text of `selkie --help`; the build writes it to dist/help.txt. */
export function topHelp(version: string): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length));
  const lines = COMMANDS.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`);
  return `selkie ${version}: the least system calls a Linux program can live with

usage: selkie COMMAND [options]

${lines.join('\n')}

  selkie COMMAND --help teaches a command with an example.

the story:
  selkie record ./makeTheFolder                           see what it does; writes makeTheFolder.yaml
  selkie seal -p makeTheFolder.yaml makeTheFolder         writes makeTheFolder.sealed, which confines itself
  selkie run -p makeTheFolder.yaml ./makeTheFolder        or confine it from outside

exit codes: record and run: 125 for a fault of Selkie's own, 126/127 as env(1), else the command's (128+n for signal n).
others: 0 yes, 1 no, 2 bad usage or input, 125 the machine refused.
`;
}
