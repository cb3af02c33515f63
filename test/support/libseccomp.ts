// libseccomp as a peer: compiles the same policies (test/programs/libseccomp-peer.c).
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeProgram } from '../../src/bpf/codec.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import { ARCHES, type ArchName } from '../../src/facts/arches.ts';
import type { PeerPolicy, PeerRule } from './libseccomp-rules.ts';
import { ROOT } from './selkie.ts';

/** SCMP_FLTATR_CTL_OPTIMIZE: 1 orders numbers by priority, 2 makes a binary tree. */
export type Optimize = 1 | 2;

/** libseccomp does not end on some combinations of rules. */
const LONGEST_MS = 60_000;

export interface PeerResult {
  readonly program: Program;
  /** Of the library, such as 2.5.4. */
  readonly version: string;
  /** Median time of a compilation by the C API, from seccomp_init to seccomp_release. */
  readonly ns: number;
}

export interface Peer {
  readonly version: string;
  /** Compiles by libseccomp; `repeats` times, for the time. */
  compile(policy: PeerPolicy, optimize: Optimize, repeats?: number): PeerResult;
}

/** False where the peer can be built, else the reason to skip a test. */
export function missingLibseccomp(): false | string {
  const input = '#include <seccomp.h>\nint main(void) { return seccomp_version() == 0; }';
  const { status } = spawnSync('gcc', ['-x', 'c', '-o', '/dev/null', '-', '-lseccomp'], { input });
  return status === 0 ? false : 'missing here: libseccomp-dev';
}

/** Builds the peer in a folder of the caller's. */
export function buildPeer(folder: string): Peer {
  const file = join(folder, 'libseccomp-peer');
  const source = join(ROOT, 'test/programs/libseccomp-peer.c');
  execFileSync('gcc', ['-O2', '-o', file, source, '-lseccomp']);
  const compile: Peer['compile'] = (policy, optimize, repeats = 1) => {
    const input = printPeerPolicy(policy);
    const output = join(folder, 'libseccomp-peer.bpf');
    const { status, stdout, stderr } = spawnSync(file, [output, `${optimize}`, `${repeats}`], {
      input,
      encoding: 'utf8',
      timeout: LONGEST_MS,
    });
    if (status !== 0) throw new Error(`libseccomp-peer: ${status}: ${stderr}`);
    const { version, ns } = JSON.parse(stdout) as { version: string; ns: number };
    return { program: decodeProgram(readFileSync(output)), version, ns };
  };
  const nothing: PeerPolicy = { default: 0x7fff_0000, badArch: 0, arches: [{ arch: 'x86_64', rules: [] }] };
  return { version: compile(nothing, 1).version, compile };
}

/** SCMP_ARCH_* is the AUDIT_ARCH token, but for x32 (seccomp.h). */
const SCMP_ARCH_X32 = 0x4000_003e;

function tokenOf(arch: ArchName): number {
  return arch === 'x32' ? SCMP_ARCH_X32 : ARCHES[arch].token;
}

/** The lines that the C program reads. */
export function printPeerPolicy(policy: PeerPolicy): string {
  const hex = (...values: readonly (number | bigint)[]): string => values.map((value) => value.toString(16)).join(' ');
  const rule = ({ action, nr, comparisons }: PeerRule): string => {
    const conditions = comparisons.map(({ argument, operator, a, b }) => ` ${hex(argument, operator, a, b)}`);
    return `rule ${hex(action, nr)}${conditions.join('')}`;
  };
  const arches = policy.arches.flatMap(({ arch, rules }) => [`arch ${hex(tokenOf(arch))}`, ...rules.map(rule)]);
  return `${[`filter ${hex(policy.default, policy.badArch)}`, ...arches].join('\n')}\n`;
}
