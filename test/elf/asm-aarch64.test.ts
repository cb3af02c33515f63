import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AssemblerA64, at64 } from '../../src/elf/asm-aarch64.ts';
import { temporaryFolder } from '../support/folders.ts';
import { missingTools } from '../support/tools.ts';

const skip = missingTools('aarch64-linux-gnu-as', 'aarch64-linux-gnu-objcopy');

/** What GNU as takes, and the code that must give the same bytes. */
const VECTORS: readonly (readonly [string, (a: AssemblerA64) => AssemblerA64])[] = [
  ['mov x0, x30', (a) => a.mov('x0', 'x30')],
  ['mov w5, w6', (a) => a.mov('w5', 'w6')],
  ['mov x9, sp', (a) => a.mov('x9', 'sp')],
  ['mov sp, x29', (a) => a.mov('sp', 'x29')],
  ['mov x8, #277', (a) => a.mov('x8', 277)],
  ['movz x1, #0', (a) => a.mov('x1', 0)],
  ['movz w1, #0x5354; movk w1, #0x5352, lsl 16', (a) => a.mov('w1', 0x5352_5354)],
  ['movz x1, #0x2100; movk x1, #0xc050, lsl 16', (a) => a.mov('x1', 0xc050_2100)],
  ['movn x3, #0', (a) => a.mov('x3', -1)],
  ['movn w3, #99', (a) => a.mov('w3', -100)],
  ['movz x2, #0x1, lsl 32; movk x2, #0x8000, lsl 48', (a) => a.mov('x2', 0x8000_0001_0000_0000n)],
  ['add x1, x2, #4095', (a) => a.add('x1', 'x2', 4095)],
  ['add x1, sp, #0x10, lsl 12', (a) => a.add('x1', 'sp', 0x1_0000)],
  ['add x1, x2, x3', (a) => a.add('x1', 'x2', 'x3')],
  ['sub sp, sp, #256', (a) => a.sub('sp', 'sp', 256)],
  ['sub w1, w2, w30', (a) => a.sub('w1', 'w2', 'w30')],
  ['cmp x0, #1', (a) => a.cmp('x0', 1)],
  ['cmn x0, #3517', (a) => a.cmp('x0', -3517)],
  ['cmp w11, w12', (a) => a.cmp('w11', 'w12')],
  ['neg x0, x1', (a) => a.neg('x0', 'x1')],
  ['and x0, x9, x30', (a) => a.and('x0', 'x9', 'x30')],
  ['and w1, w1, w2', (a) => a.and('w1', 'w1', 'w2')],
  ['udiv x4, x0, x2', (a) => a.udiv('x4', 'x0', 'x2')],
  ['msub x5, x4, x2, x0', (a) => a.msub('x5', 'x4', 'x2', 'x0')],
  ['lsl x1, x2, #3', (a) => a.lsl('x1', 'x2', 3)],
  ['lsr x1, x2, #6', (a) => a.lsr('x1', 'x2', 6)],
  ['ldr x0, [sp, #8]', (a) => a.ldr('x0', at64('sp', 8))],
  ['ldr w0, [x29, #16380]', (a) => a.ldr('w0', at64('x29', 16380))],
  ['str x0, [x1]', (a) => a.str('x0', at64('x1'))],
  ['str xzr, [x29, #64]', (a) => a.str('xzr', at64('x29', 64))],
  ['str w7, [x1, #20]', (a) => a.str('w7', at64('x1', 20))],
  ['ldrb w0, [x1, #3]', (a) => a.ldrb('w0', at64('x1', 3))],
  ['strb wzr, [x1]', (a) => a.strb('wzr', at64('x1'))],
  ['ldrb w3, [x4], #1', (a) => a.ldrbPost('w3', 'x4', 1)],
  ['strb w3, [x4], #1', (a) => a.strbPost('w3', 'x4', 1)],
  ['strb w3, [x4, #-1]!', (a) => a.strbPre('w3', 'x4', -1)],
  ['br x16', (a) => a.br('x16')],
  ['ret', (a) => a.ret()],
  ['svc #0', (a) => a.svc()],
  ['hint #34', (a) => a.bti('c')],
  ['hint #36', (a) => a.bti('j')],
  ['hint #38', (a) => a.bti('jc')],
  ['udf #0', (a) => a.udf()],
  ['back: b back', (a) => a.label('back').b('back')],
  ['bl back', (a) => a.bl('back')],
  ['b.ne forth', (a) => a.bif('ne', 'forth')],
  ['b.hs back; b.lt forth; b.ls back', (a) => a.bif('hs', 'back').bif('lt', 'forth').bif('ls', 'back')],
  ['cbz x3, back', (a) => a.cbz('x3', 'back')],
  ['cbnz w3, forth', (a) => a.cbnz('w3', 'forth')],
  ['tbnz x3, #63, back', (a) => a.tbnz('x3', 63, 'back')],
  ['tbnz w3, #4, forth', (a) => a.tbnz('w3', 4, 'forth')],
  ['adr x0, back', (a) => a.adr('x0', 'back')],
  ['adr x0, forth + 5', (a) => a.adr('x0', 'forth', 5)],
  ['ldr x9, forth', (a) => a.ldrLabel('x9', 'forth')],
  [
    '.ascii "odd"; .balign 8; forth: .quad 0x123456789abcdef0',
    (a) => a.text('odd').align(8).label('forth').u64(0x123456789abcdef0n),
  ],
];

test('each instruction has the bytes that GNU as gives it', { skip }, () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'code.s'), `${VECTORS.map(([text]) => text).join('\n')}\n`);
  execFileSync('aarch64-linux-gnu-as', ['-o', join(folder, 'code.o'), join(folder, 'code.s')]);
  execFileSync('aarch64-linux-gnu-objcopy', ['-O', 'binary', join(folder, 'code.o'), join(folder, 'code')]);
  const wanted = readFileSync(join(folder, 'code'));
  const code = new AssemblerA64();
  for (const [, write] of VECTORS) write(code);
  const words = (bytes: Uint8Array): string[] =>
    Buffer.from(bytes)
      .toString('hex')
      .match(/.{1,8}/g) ?? [];
  assert.deepEqual(words(code.assemble()), words(wanted));
});

test('what cannot be encoded is refused', () => {
  const refused = (write: (a: AssemblerA64) => AssemblerA64, problem: RegExp): void =>
    assert.throws(() => write(new AssemblerA64()).assemble(), problem);
  refused((a) => a.b('nowhere'), /label missing: nowhere/);
  refused((a) => a.label('a').label('a'), /label named twice: a/);
  refused((a) => a.add('x0', 'x0', 0x1001), /not an immediate of 12 bits/);
  refused((a) => a.ldr('x0', at64('x0', 4)), /not a displacement of 8/);
  refused((a) => a.mov('w0', 0x1_0000_0000), /not a number of 32 bits/);
  refused(
    (a) =>
      a
        .adr('x0', 'far')
        .data(new Uint8Array(1 << 20))
        .label('far'),
    /out of reach: far/,
  );
  refused(
    (a) =>
      a
        .tbnz('x0', 0, 'far')
        .data(new Uint8Array(1 << 15))
        .label('far'),
    /out of reach: far/,
  );
  refused((a) => a.text('x').label('a').b('a'), /off its boundary/);
});
