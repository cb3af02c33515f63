import type { Node } from '../../decision/diagrams.ts';
import { errnoNumber } from '../../facts/errnos.ts';
import { SECCOMP_RET_ERRNO } from '../../facts/seccomp.ts';
import type { LintRule } from '../finding.ts';
import { dataOf, kindOf } from '../outcomes.ts';
import { eachAbi, listed } from '../stance.ts';

/** Calls whose callers fall back on ENOSYS only, and what they then call. Source: glibc's sysdeps/unix/sysv/linux, one file a call. */
const OLDER: Readonly<Record<string, readonly string[]>> = {
  clone3: ['clone'],
  openat2: ['openat'],
  faccessat2: ['faccessat', 'access'],
  fchmodat2: ['fchmodat', 'chmod'],
  statx: ['newfstatat', 'fstatat64', 'stat', 'stat64', 'fstat', 'fstat64'],
  renameat2: ['renameat', 'rename'],
  preadv2: ['preadv'],
  pwritev2: ['pwritev'],
  close_range: ['close'],
  epoll_pwait2: ['epoll_pwait'],
  mlock2: ['mlock'],
};

/** Errors that hide from callers that they should fall back. */
export const fallbackErrno: LintRule = {
  id: 'fallback-errno',
  severity: 'warning',
  why: 'the C library takes the older call only where the newer one does not exist (ENOSYS); any other error is passed on as a failure',
  todo: 'answer them with errno(ENOSYS) (in a policy: errno(ENOSYS): ["@fallback"])',
  source: 'glibc, sysdeps/unix/sysv/linux/clone-internal.c, faccessat.c, fstatat64.c',
  judge: (subject) =>
    eachAbi(subject, (abi, stance) => {
      const enosys = errnoNumber(abi.arch, 'ENOSYS');
      const isOtherErrno = (action: number): boolean =>
        kindOf(action) === SECCOMP_RET_ERRNO && dataOf(action) !== enosys && dataOf(action) !== 0;
      const names = Object.entries(OLDER).filter(([name, older]) => {
        const node: Node | undefined = abi.of(name);
        return (
          node !== undefined &&
          subject.outcomes.all(node, isOtherErrno) &&
          older.some((each) => stance.isReachable(each))
        );
      });
      if (names.length === 0) return [];
      const [first] = names.map(([name]) => stance.place(name, isOtherErrno)).filter((place) => place !== undefined);
      const message = `refused with another error than ENOSYS: ${listed(names.map(([name]) => name))}`;
      return [{ message, arch: abi.arch, place: first }];
    }),
};
