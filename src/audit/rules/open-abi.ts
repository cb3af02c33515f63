import { isPermitted } from '../../decision/actions.ts';
import { syscallNumber } from '../../facts/syscalls.ts';
import type { Abi } from '../abi.ts';
import type { Found, LintRule } from '../finding.ts';
import { Stance } from '../stance.ts';
import type { Subject } from '../subject.ts';

/** Worth naming as an example before others. */
const TELLING: readonly string[] = ['execve', 'ptrace', 'socket', 'openat', 'open', 'mount', 'clone'];

/** Other ABIs of the same kernel that a filter leaves open. */
export const openAbi: LintRule = {
  id: 'open-abi',
  severity: 'warning',
  why: 'a process can make its calls through another ABI of the same kernel, whose numbers differ',
  todo: 'test the architecture first and refuse others by kill_process; on x86-64 refuse numbers from 0x40000000 on too',
  source: 'seccomp(2) NOTES; Documentation/userspace-api/seccomp_filter.rst, Pitfalls',
  judge: (subject) => subject.others.flatMap(({ of, abi }) => judgeAbi(subject, of, abi)),
};

function judgeAbi(subject: Subject, of: Abi, abi: Abi): readonly Found[] {
  const { outcomes } = subject;
  if (!abi.intervals.some(({ node }) => outcomes.some(node, isPermitted))) return [];
  const stance = new Stance(subject, of);
  const through = new Stance(subject, abi);
  const passing = abi.names.filter((name) => through.isOpen(name) && stance.isLimited(name));
  const example = TELLING.find((name) => passing.includes(name)) ?? passing[0];
  const how =
    example === undefined ? '' : `: ${example}, refused as ${of.arch}, passes as number ${shown(abi, example)}`;
  const open = `${abi.arch} is open`;
  return [{ message: `${open}${how}`, severity: example === undefined ? 'warning' : 'error' }];
}

function shown({ arch }: Abi, name: string): string {
  const nr = syscallNumber(arch, name) as number;
  return nr < 0x1000 ? String(nr) : `0x${nr.toString(16)}`;
}
