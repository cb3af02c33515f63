import { LANDLOCK_STEPS, type LandlockStep } from './landlock.ts';

/** What the launchers of all machines say, by label. */
export const LAUNCHER_TEXTS = {
  runText: "selkie: cannot run '",
  privilegesText: 'selkie: cannot confine: no_new_privs failed',
  filterText: 'selkie: cannot confine: seccomp failed',
  proofText: 'selkie: cannot confine: the proof of the filter failed',
  answererText: 'selkie: cannot confine: the calls of start: cannot be answered',
  followText: 'selkie: cannot follow the program to its entry: --simple needs no following',
  noListenerText: 'selkie: start: is ended by ptrace at the entry, as user notification is refused',
  errnoText: ': errno ',
  defaultPath: '/bin:/usr/bin',
  shellPath: '/bin/sh',
  procPath: '/proc/self',
  auxvName: 'auxv',
  memName: 'mem',
} as const;

/** Of launchers with `paths:`. */
export const LANDLOCK_TEXTS: Readonly<Record<LandlockStep | 'path', string>> = {
  landlock: `selkie: cannot confine: ${LANDLOCK_STEPS.landlock} failed`,
  landlockAbi: "selkie: cannot confine: the kernel's Landlock is older than paths: needs",
  landlockProof: `selkie: cannot confine: ${LANDLOCK_STEPS.landlockProof} failed`,
  openProof: `selkie: cannot confine: ${LANDLOCK_STEPS.openProof} failed`,
  path: "selkie: cannot confine: paths: '",
};

export const USAGE = 'selkie: usage: LAUNCHER COMMAND [ARGUMENT...]\n';
