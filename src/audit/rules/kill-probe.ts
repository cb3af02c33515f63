import { FLOORS } from '../../facts/floors.ts';
import type { Abi } from '../abi.ts';
import type { Found, LintRule } from '../finding.ts';
import { kills } from '../outcomes.ts';
import { eachAbi, listed, type Stance } from '../stance.ts';
import type { Subject } from '../subject.ts';

/** Calls that runtimes try at their start, beside those that have a fallback. Sources: glibc's nptl and csu, libuv's src/unix/linux.c, musl's src/env. */
const TRIED: readonly string[] = [
  'rseq',
  'set_robust_list',
  'get_robust_list',
  'getrandom',
  'prlimit64',
  'sched_getaffinity',
];
/** Of a floor, the share that is open where the filter seems made for its runtime. */
const SEEMS_MEANT = 0.8;

/** Kills for what runtimes try. */
export const killProbe: LintRule = {
  id: 'kill-probe',
  severity: 'warning',
  why: 'runtimes try these calls and go on without them; here they end',
  todo: 'answer them with errno(ENOSYS) instead, and keep kill for calls that no honest program makes',
  source: 'glibc, sysdeps/nptl/dl-tls_init_tp.c; libuv, src/unix/linux.c; selkie sets @fallback',
  judge: (subject) =>
    eachAbi(subject, (abi, stance) => [...probes(subject, abi, stance), ...floors(subject, abi, stance)]),
};

function probes({ outcomes }: Subject, abi: Abi, stance: Stance): readonly Found[] {
  const names = [...(FLOORS.fallback ?? []).map(({ name }) => name), ...TRIED];
  const killed = names.filter((name) => {
    const node = abi.of(name);
    return node !== undefined && outcomes.all(node, kills);
  });
  if (killed.length === 0) return [];
  const place = killed.map((name) => stance.place(name, kills)).find((each) => each !== undefined);
  return [{ message: `ends the process for ${listed(killed)}`, arch: abi.arch, place }];
}

/** Calls that a runtime may make at any time, where most others of it are permitted. */
function floors({ outcomes }: Subject, abi: Abi, stance: Stance): readonly Found[] {
  return Object.entries(FLOORS).flatMap(([runtime, members]) => {
    const nodes = members.map(({ name }) => ({ name, node: abi.of(name) })).filter(({ node }) => node !== undefined);
    const open = nodes.filter(({ name }) => stance.isReachable(name));
    const killed = nodes.filter(({ node }) => outcomes.all(node as number, kills)).map(({ name }) => name);
    if (runtime === 'fallback' || killed.length === 0 || open.length < SEEMS_MEANT * nodes.length) return [];
    const message = `made for ${runtime}, as it seems, whose runtime may make ${listed(killed)}: it then ends`;
    return [{ message, severity: 'note' as const, arch: abi.arch, place: stance.place(killed[0] as string, kills) }];
  });
}
