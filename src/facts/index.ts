/** `selkie/facts`: system calls, their parameters, constants and errors per ABI. */

export * from './arches.ts';
export * from './constants.ts';
export * from './errnos.ts';
export * from './prototypes.ts';
export * from './seccomp.ts';
export * from './syscalls.ts';
