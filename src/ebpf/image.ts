import type { EbpfAssembler } from './assembler.ts';
import type { Btf } from './btf.ts';
import { ANY, countGlobal, HELPER, lookUp, readKernel, update } from './helpers.ts';
import { GLOBALS, IMAGE, IMAGE_KEY, type Maps } from './layout.ts';

/** The part of the execve program that numbers executables and keeps their paths, as d_path of fs/d_path.c finds them. */

/** Names of a path, and mounts on the way; what is deeper is cut. */
const STEPS = 48;

const KEY = -48;
const POINTER = -56;
const OTHER = -64;
const STEP = -80;

/**
 * Emits code that numbers the executable whose struct file is in r6. At `done`, r7 is its number, or 0 where there is no room. Loses r6, r8
 * and r9; uses the stack from -40 to -80.
 */
export function emitImage(code: EbpfAssembler, btf: Btf, maps: Maps, done: string): void {
  readKey(code, btf);
  code.mov('r7', 0);
  lookUp(code, maps.images, KEY).jumpIf('eq', 'r0', 0, 'newImage').load(32, 'r7', 'r0', IMAGE.id).jump(done);
  code.label('newImage').loadValue('r9', maps.scratch);
  walk(code, btf);
  code.loadValue('r1', maps.globals).mov('r7', 1).atomic('fetchAdd', 'r1', GLOBALS.images, 'r7').alu('add', 'r7', 1);
  code.store(32, 'r9', IMAGE.id, 'r7').store(32, 'r9', IMAGE.length, 'r8').mov('r3', 'r9');
  update(code, maps.images, KEY, ANY).jumpIf('eq', 'r0', 0, done).mov('r7', 0);
  countGlobal(code, maps.globals, 'lost').jump(done);
}

/** The key is at KEY; r6 stays. */
function readKey(code: EbpfAssembler, btf: Btf): void {
  code.store(64, 'r10', KEY, 0).store(64, 'r10', KEY + 8, 0);
  readKernel(code, POINTER, 8, 'r6', btf.offset('file', 'f_path', 'dentry'));
  code.load(64, 'r8', 'r10', POINTER);
  readKernel(code, KEY + IMAGE_KEY.hash, 4, 'r8', btf.offset('dentry', 'd_name', 'hash'));
  readKernel(code, POINTER, 8, 'r8', btf.offset('dentry', 'd_inode'));
  code.load(64, 'r8', 'r10', POINTER);
  readKernel(code, KEY + IMAGE_KEY.inode, 8, 'r8', btf.offset('inode', 'i_ino'));
  readKernel(code, POINTER, 8, 'r8', btf.offset('inode', 'i_sb'));
  code.load(64, 'r8', 'r10', POINTER);
  readKernel(code, KEY + IMAGE_KEY.device, 4, 'r8', btf.offset('super_block', 's_dev'));
}

/** Writes the names into the scratch value at r9; r8 = their length. r6 becomes the dentry, r7 the struct mount. */
function walk(code: EbpfAssembler, btf: Btf): void {
  const path = btf.offset('file', 'f_path');
  const inMount = btf.offset('mount', 'mnt');
  readKernel(code, POINTER, 8, 'r6', path + btf.offset('path', 'mnt'));
  readKernel(code, OTHER, 8, 'r6', path + btf.offset('path', 'dentry'));
  code.load(64, 'r7', 'r10', POINTER).alu('sub', 'r7', inMount).load(64, 'r6', 'r10', OTHER);
  // A 0 that the verifier does not know to be one: else it looks at every step again for each length that it knows.
  code
    .store(32, 'r9', IMAGE.length, 0)
    .load(32, 'r8', 'r9', IMAGE.length)
    .alu('and', 'r8', IMAGE.longest - 1);
  code.store(64, 'r10', STEP, 0).label('step');
  emitStep(code, btf, inMount);
  code
    .label('next')
    .load(64, 'r1', 'r10', STEP)
    .alu('add', 'r1', 1)
    .store(64, 'r10', STEP, 'r1')
    .jumpIf('lt', 'r1', STEPS, 'step')
    .label('walked');
}

/** One name, or from a mount's root to where it is mounted. */
function emitStep(code: EbpfAssembler, btf: Btf, inMount: number): void {
  readKernel(code, POINTER, 8, 'r7', inMount + btf.offset('vfsmount', 'mnt_root'));
  code.load(64, 'r1', 'r10', POINTER).jumpIf('ne', 'r1', 'r6', 'name');
  readKernel(code, POINTER, 8, 'r7', btf.offset('mount', 'mnt_mountpoint'));
  readKernel(code, OTHER, 8, 'r7', btf.offset('mount', 'mnt_parent'));
  code.load(64, 'r1', 'r10', OTHER).jumpIf('eq', 'r1', 'r7', 'walked');
  code.mov('r7', 'r1').load(64, 'r6', 'r10', POINTER).jump('next');
  code.label('name');
  readKernel(code, POINTER, 8, 'r6', btf.offset('dentry', 'd_name', 'name'));
  code
    .mov('r1', 'r9')
    .alu('add', 'r1', IMAGE.names)
    .alu('add', 'r1', 'r8')
    .mov('r2', 256)
    .load(64, 'r3', 'r10', POINTER)
    .call(HELPER.probe_read_kernel_str)
    .jumpIf('sle', 'r0', 0, 'walked')
    .alu('add', 'r8', 'r0')
    .alu('and', 'r8', IMAGE.longest - 1);
  readKernel(code, POINTER, 8, 'r6', btf.offset('dentry', 'd_parent'));
  code.load(64, 'r1', 'r10', POINTER).jumpIf('eq', 'r1', 'r6', 'walked').mov('r6', 'r1');
}
