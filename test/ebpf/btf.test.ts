import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EbpfAssembler } from '../../src/ebpf/assembler.ts';
import { Btf } from '../../src/ebpf/btf.ts';

const FILE = '/sys/kernel/btf/vmlinux';

test('offsets of pt_regs are those of arch/x86/include/asm/ptrace.h, also of a member in an unnamed union', {
  skip: !existsSync(FILE) && 'no BTF',
}, () => {
  const btf = new Btf(readFileSync(FILE));
  assert.equal(btf.offset('pt_regs', 'orig_ax'), 120);
  assert.equal(btf.offset('pt_regs', 'ip'), 128);
  // include/linux/dcache.h: the hash and the length stand before the name.
  assert.equal(btf.offset('dentry', 'd_name', 'name'), btf.offset('dentry', 'd_name', 'hash') + 8);
  assert.ok(btf.typedef('btf_trace_sys_enter') > 0);
  assert.throws(() => btf.offset('pt_regs', 'no_such'), { code: 'unsupported' });
  assert.throws(() => btf.typedef('no_such_type'), { code: 'unsupported' });
});

test('what is no BTF is refused', () => {
  assert.throws(() => new Btf(new Uint8Array(64)), { code: 'unsupported' });
});

test('the assembler encodes as the instruction set says, and refuses jumps to nowhere', () => {
  const code = new EbpfAssembler()
    .mov('r0', -1)
    .jumpIf('eq', 'r1', 'r2', 'end')
    .store(32, 'r10', -4, 'r0')
    .label('end');
  const words = Buffer.from(code.exit().assemble()).toString('hex').match(/.{16}/g);
  assert.deepEqual(words, ['b7000000ffffffff', '1d21010000000000', '630afcff00000000', '9500000000000000']);
  assert.throws(() => new EbpfAssembler().jump('nowhere').assemble(), { code: 'ebpf_label' });
});
