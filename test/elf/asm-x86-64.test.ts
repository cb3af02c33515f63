import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Assembler, at } from '../../src/elf/asm-x86-64.ts';
import { missingTools } from '../support/tools.ts';

/** What objdump says, and the code that must give it. */
const VECTORS: readonly (readonly [string, (a: Assembler) => Assembler])[] = [
  ['mov rax,rbx', (a) => a.mov('rax', 'rbx')],
  ['mov r9d,r10d', (a) => a.mov('r9d', 'r10d')],
  ['mov eax,0x9d', (a) => a.mov('eax', 157)],
  ['mov r10d,0xffffffff', (a) => a.mov('r10d', 0xffffffff)],
  ['mov rdi,0xffffffffffffffff', (a) => a.mov('rdi', -1)],
  ['movabs r15,0x123456789abcdef0', (a) => a.mov('r15', 0x123456789abcdef0n)],
  ['mov rdi,QWORD PTR [rsp]', (a) => a.mov('rdi', at('rsp'))],
  ['mov edi,DWORD PTR [rsp+0x8]', (a) => a.mov('edi', at('rsp', 8))],
  ['mov r13,QWORD PTR [r12+0x1000]', (a) => a.mov('r13', at('r12', 0x1000))],
  ['mov rax,QWORD PTR [rbp+0x0]', (a) => a.mov('rax', at('rbp'))],
  ['mov rax,QWORD PTR [r13+0x0]', (a) => a.mov('rax', at('r13'))],
  ['mov QWORD PTR [rsp-0x8],r8', (a) => a.mov(at('rsp', -8), 'r8')],
  ['mov DWORD PTR [rbx],ecx', (a) => a.mov(at('rbx'), 'ecx')],
  ['mov QWORD PTR [rsp+0x8],0x7', (a) => a.mov(at('rsp', 8), 7)],
  ['mov DWORD PTR [rsp+0x8],0xdeadbeef', (a) => a.mov32(at('rsp', 8), 0xdeadbeef)],
  ['mov WORD PTR [rsp],0x1234', (a) => a.mov16(at('rsp'), 0x1234)],
  ['mov BYTE PTR [rdi],0x2f', (a) => a.movByte(at('rdi'), 0x2f)],
  ['mov BYTE PTR [r10],dl', (a) => a.movByte(at('r10'), 'dl')],
  ['mov BYTE PTR [rax],sil', (a) => a.movByte(at('rax'), 'sil')],
  ['movzx ecx,BYTE PTR [r9]', (a) => a.movzxByte('ecx', at('r9'))],
  ['movzx eax,dil', (a) => a.movzxByte('eax', 'dil')],
  ['movzx r8,al', (a) => a.movzxByte('r8', 'al')],
  ['movsxd rax,DWORD PTR [rdi+0x4]', (a) => a.movsxd('rax', at('rdi', 4))],
  ['lea rsi,[r9+0x1]', (a) => a.lea('rsi', at('r9', 1))],
  ['lea rsp,[rsp-0x80]', (a) => a.lea('rsp', at('rsp', -128))],
  ['add rax,rcx', (a) => a.add('rax', 'rcx')],
  ['add edx,0x30', (a) => a.add('edx', 0x30)],
  ['or rdi,0x100', (a) => a.or('rdi', 0x100)],
  ['and rsp,0xfffffffffffffff0', (a) => a.and('rsp', -16)],
  ['sub rsp,0x100', (a) => a.sub('rsp', 0x100)],
  ['xor r10d,r10d', (a) => a.xor('r10d', 'r10d')],
  ['cmp rax,0xfffffffffffff243', (a) => a.cmp('rax', -3517)],
  ['cmp QWORD PTR [rsp+0x10],0x1', (a) => a.cmp(at('rsp', 16), 1)],
  ['cmp DWORD PTR [r8],0x1000', (a) => a.cmp32(at('r8'), 0x1000)],
  ['cmp BYTE PTR [rsi],0x0', (a) => a.cmpByte(at('rsi'), 0)],
  ['cmp rax,r12', (a) => a.cmp('rax', 'r12')],
  ['test rax,rax', (a) => a.test('rax', 'rax')],
  ['test r9d,0x80', (a) => a.test('r9d', 0x80)],
  ['inc rdi', (a) => a.inc('rdi')],
  ['dec r10', (a) => a.dec('r10')],
  ['neg eax', (a) => a.neg('eax')],
  ['div ecx', (a) => a.div('ecx')],
  ['shl r11,0x3', (a) => a.shl('r11', 3)],
  ['shr eax,0x1f', (a) => a.shr('eax', 31)],
  ['imul rax,rdx', (a) => a.imul('rax', 'rdx')],
  ['imul r8d,DWORD PTR [rsp],0xa', (a) => a.imul('r8d', at('rsp'), 10)],
  ['push rdx', (a) => a.push('rdx')],
  ['push r12', (a) => a.push('r12')],
  ['push 0x7f', (a) => a.push(0x7f)],
  ['push 0x1000', (a) => a.push(0x1000)],
  ['pop r8', (a) => a.pop('r8')],
  ['jmp r11', (a) => a.jmp('r11')],
  ['call rax', (a) => a.call('rax')],
  ['ret', (a) => a.ret()],
  ['syscall', (a) => a.syscall()],
  ['int 0x80', (a) => a.int80()],
  ['endbr64', (a) => a.endbr64()],
  ['nop', (a) => a.nop()],
  ['hlt', (a) => a.hlt()],
  ['ud2', (a) => a.ud2()],
  ['pause', (a) => a.pause()],
  ['cld', (a) => a.cld()],
  ['rep movs BYTE PTR es:[rdi],BYTE PTR ds:[rsi]', (a) => a.repMovsb()],
];

/** objdump's text of each instruction, addresses and bytes cut off. */
function disassemble(code: Uint8Array): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'selkie-asm-'));
  try {
    writeFileSync(join(folder, 'code'), code);
    const flags = ['-D', '-b', 'binary', '-m', 'i386:x86-64', '-M', 'intel', '-w', '--no-show-raw-insn'];
    const text = execFileSync('objdump', [...flags, join(folder, 'code')], { encoding: 'utf8' });
    const lines = text.split('\n').filter((line) => /^\s+[0-9a-f]+:\t/.test(line));
    return lines.map((line) =>
      (line.split('\t')[1] ?? '')
        .replace(/\s*#.*/, '')
        .replace(/\s+/g, ' ')
        .trim(),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('each instruction reads back in objdump as it was written', { skip: missingTools('objdump') }, () => {
  const code = new Assembler();
  for (const [, write] of VECTORS) write(code);
  assert.deepEqual(
    disassemble(code.assemble()),
    VECTORS.map(([text]) => text),
  );
});

test('labels are reached forward and backward, by short and long jumps', { skip: missingTools('objdump') }, () => {
  const code = new Assembler().label('start').jcc('e', 'near').jmp('far').call('start').label('near');
  code.lea('r8', 'data').data(new Uint8Array(200).fill(0x90)).jcc('b', 'start').label('far').jmp('near').align(8, 0x90);
  const bytes = code.label('data').offset32('data', 'start').u32(0xfeedface).u64(1n).assemble();
  const text = disassemble(bytes);
  // 0: je near(12), 2: jmp far, 7: call start, 12: lea data, 19..218: nop, 219: jb start, 225: jmp near, data at 232.
  assert.deepEqual(text.slice(0, 4), ['je 0xc', 'jmp 0xe1', 'call 0x0', 'lea r8,[rip+0xd5]']);
  assert.deepEqual(text.slice(204, 206), ['jb 0x0', 'jmp 0xc']);
  assert.deepEqual([...bytes.subarray(232, 240)], [232, 0, 0, 0, 0xce, 0xfa, 0xed, 0xfe]);
});

test('a jump at the limit of 8 bits stays short, one byte more makes it long', () => {
  const gap = (size: number): number =>
    new Assembler().jmp('end').data(new Uint8Array(size)).label('end').assemble().length;
  assert.equal(gap(127), 129);
  assert.equal(gap(128), 133);
});

test('a missing label, a label named twice and a number that does not fit are refused', () => {
  assert.throws(() => new Assembler().jmp('nowhere').assemble(), /label missing: nowhere/);
  assert.throws(() => new Assembler().label('a').label('a').assemble(), /label named twice: a/);
  assert.throws(() => new Assembler().mov('rax', 0x1_0000_0000), /not a 32-bit immediate/);
  assert.throws(() => new Assembler().add('rax', 0x8000_0000), /not a 32-bit immediate/);
});
