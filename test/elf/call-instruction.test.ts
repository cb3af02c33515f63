import assert from 'node:assert/strict';
import test from 'node:test';
import { endsInCall } from '../../src/elf/call-instruction.ts';
import { runCommand } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

test('what objdump calls a call is one, and other instructions are not', { skip: missingTools('objdump') }, () => {
  const { stdout } = runCommand(['objdump', '-d', '-w', '--section=.text', '/bin/bash'], { maxBuffer: 2 ** 28 });
  let calls = 0;
  let others = 0;
  let mistaken = 0;
  for (const [, hex = '', text = ''] of stdout.matchAll(/^ +[0-9a-f]+:\t((?:[0-9a-f]{2} )+) *\t(.*)$/gm)) {
    const bytes = Uint8Array.from(hex.trim().split(' '), (byte) => Number.parseInt(byte, 16));
    const isCall = /^(?:bnd |notrack )?call/.test(text);
    if (isCall) assert.ok(endsInCall(bytes), `${hex} ${text}`);
    if (isCall) calls += 1;
    else others += 1;
    if (!isCall && endsInCall(bytes)) mistaken += 1;
  }
  assert.ok(calls > 5000, String(calls));
  // Bytes of an operand may look like a call.
  assert.ok(mistaken < others / 100, `${mistaken} of ${others}`);
});
