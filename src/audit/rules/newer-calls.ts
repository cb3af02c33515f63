import { isPermitted } from '../../decision/actions.ts';
import { errnoNumber } from '../../facts/errnos.ts';
import { SECCOMP_RET_ERRNO } from '../../facts/seccomp.ts';
import type { LintRule } from '../finding.ts';
import { denies } from '../outcomes.ts';
import { eachAbi } from '../stance.ts';

/** What calls get that are newer than the filter. */
export const newerCalls: LintRule = {
  id: 'newer-calls',
  severity: 'warning',
  why: 'libraries try calls that the filter does not know yet; only ENOSYS makes them fall back',
  todo: 'state the release that the policy was made for and what newer calls get: kernel: "6.18" and unknown: errno(ENOSYS)',
  source: 'syscalls(2); glibc falls back on ENOSYS only',
  judge: (subject) =>
    eachAbi(subject, (abi) => {
      const enosys = (SECCOMP_RET_ERRNO | (errnoNumber(abi.arch, 'ENOSYS') ?? 0)) >>> 0;
      const isOther = (action: number): boolean => denies(action) && action !== enosys;
      if (!subject.outcomes.all(abi.beyond, isOther)) return [];
      return [{ message: 'a call that is newer than the filter does not get ENOSYS', arch: abi.arch }];
    }),
};

/** Deny-lists. */
export const defaultAllow: LintRule = {
  id: 'default-allow',
  severity: 'warning',
  why: 'all calls that nobody thought of are open, those of the next kernel too',
  todo: 'allow what the program needs and refuse the rest: selkie record writes such a policy',
  source: 'seccomp_filter.rst; syscalls(2): some calls are added with every release',
  judge: (subject) =>
    eachAbi(subject, (abi, stance) => {
      if (!stance.isDenyList && !subject.outcomes.some(abi.beyond, isPermitted)) return [];
      return [{ message: 'calls that it does not name are permitted', arch: abi.arch }];
    }),
};
