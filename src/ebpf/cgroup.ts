import { EbpfAssembler, type Register } from './assembler.ts';
import type { Btf } from './btf.ts';
import { dropProcess, PID, setProcess } from './caller.ts';
import { readKernel } from './helpers.ts';
import { emitImage } from './image.ts';
import { IN_PROGRAM, type Maps, PROCESS } from './layout.ts';

/** The programs that keep the map of processes equal to what is in a cgroup (of v2) and below it: no call is slower for that. */

/** A cgroup as the kernel knows it. */
export interface CgroupScope {
  /** struct kernfs_node.id: on 64-bit kernels the inode number of its folder. */
  readonly id: bigint;
  /** How many cgroups are above it. */
  readonly level: number;
}

const PROCESS_AT = -16;
const POINTER = -24;
const WORD = -28;

/**
 * For a tracepoint whose argument `index` is a struct task_struct *: its process is observed where it is in the cgroup, and no longer
 * where it is not. Fork: a child is in its cgroup by then (cgroup_post_fork comes first), by CLONE_INTO_CGROUP as well.
 *
 * @throws {UnsupportedError} a kernel before 6.1: struct cgroup has no ancestors
 */
export function cgroupProgram(btf: Btf, maps: Maps, scope: CgroupScope, index: number): Uint8Array {
  const code = new EbpfAssembler().mov('r6', 'r1').load(64, 'r7', 'r6', 8 * index);
  code.load(32, 'r8', 'r7', btf.offset('task_struct', 'tgid')).store(32, 'r10', PID, 'r8');
  // A thread: the first one stands for its process.
  code.load(32, 'r1', 'r7', btf.offset('task_struct', 'pid')).jumpIf('ne', 'r1', 'r8', 'out');
  emitIsInside(code, btf, scope);
  // Threads of the kernel have no memory, and so no file.
  readPointer(code, 'r7', btf.offset('task_struct', 'mm'), 'r6', 'out');
  readPointer(code, 'r6', btf.offset('mm_struct', 'exe_file'), 'r6', 'out');
  emitImage(code, btf, maps, 'image');
  code.label('image').jumpIf('eq', 'r7', 0, 'out');
  code.store(32, 'r10', PROCESS_AT + PROCESS.image, 'r7').store(32, 'r10', PROCESS_AT + PROCESS.flags, IN_PROGRAM);
  setProcess(code, maps, PROCESS_AT);
  dropProcess(code.jump('out').label('outside'), maps);
  return code.label('out').mov('r0', 0).exit().assemble();
}

/** Goes on where the task at r7 is inside, else at `outside`. Loses r6 and r8. */
function emitIsInside(code: EbpfAssembler, btf: Btf, { id, level }: CgroupScope): void {
  readPointer(code, 'r7', btf.offset('task_struct', 'cgroups'), 'r6', 'outside');
  readPointer(code, 'r6', btf.offset('css_set', 'dfl_cgrp'), 'r6', 'outside');
  readKernel(code, WORD, 4, 'r6', btf.offset('cgroup', 'level'));
  code.load(32, 'r1', 'r10', WORD).jumpIf('lt', 'r1', level, 'outside');
  readPointer(code, 'r6', btf.offset('cgroup', 'ancestors') + 8 * level, 'r6', 'outside');
  readPointer(code, 'r6', btf.offset('cgroup', 'kn'), 'r6', 'outside');
  readKernel(code, POINTER, 8, 'r6', btf.offset('kernfs_node', 'id'));
  code.load(64, 'r1', 'r10', POINTER).loadImmediate64('r2', id).jumpIf('ne', 'r1', 'r2', 'outside');
}

/** `destination` = the pointer at base + offset; goes to `none` where it is NULL. */
function readPointer(
  code: EbpfAssembler,
  base: Register,
  offset: number,
  destination: Register,
  none: 'out' | 'outside',
): void {
  readKernel(code, POINTER, 8, base, offset);
  code.load(64, destination, 'r10', POINTER).jumpIf('eq', destination, 0, none);
}
