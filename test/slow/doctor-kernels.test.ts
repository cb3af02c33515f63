import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownLauncherX8664 } from '../../src/elf/stubs/own-launcher-x86-64.ts';
import { proberElf } from '../../src/elf/stubs/prober-x86-64.ts';
import { confinedExecution, judgeFeatures, memoryExecution, refusedCalls } from '../../src/kernel/features.ts';
import type { Place } from '../../src/kernel/place.ts';
import { readAnswers } from '../../src/kernel/prober.ts';
import { probesFor } from '../../src/kernel/probes.ts';
import { denying } from '../support/filters.ts';
import { temporaryFolder } from '../support/folders.ts';
import { debianKernel, GuestFiles, runMachine } from '../support/machine.ts';
import { missingTools } from '../support/tools.ts';

/** The prober alone, as process of other kernels: what they lack is found by asking them. */

const skip = missingTools('qemu-system-x86_64', 'cpio', 'curl', 'xz', 'dpkg-deb', 'gcc');

/** Nothing that is read from files decides what is tested here. */
const PLACE: Place = {
  release: '',
  arch: 'x64',
  node: '',
  uid: 0,
  hasProc: true,
  filters: undefined,
  capSysAdmin: true,
  yama: undefined,
  unprivilegedBpfDisabled: undefined,
  bpfJit: 1,
  actionsLogged: undefined,
  tracepoints: false,
};

/** What these kernels do not have: 5.19, 6.6, 5.11, 5.13. */
const MISSING: Readonly<Record<string, readonly string[]>> = {
  bullseye: ['WAIT_KILLABLE_RECV', 'SYNC_WAKE_UP', 'bitmap of allowed calls', 'Landlock', 'x32 calls'],
  bookworm: ['SYNC_WAKE_UP', 'x32 calls'],
};
const GROUPS = ['filters', 'actions', 'flags', 'notification', 'other'];

for (const [suite, missing] of Object.entries(MISSING))
  test(`Debian ${suite}: the prober finds what its kernel lacks, and that commands work`, { skip }, () => {
    const folder = temporaryFolder();
    const guest = new GuestFiles(join(folder, 'guest'));
    const trial = proberElf([]);
    const filter = denying();
    const launcher = ownLauncherX8664({ program: filter, form: 'simple' });
    const probes = probesFor({ trial, trialPath: '/trial', launcher, filter });
    for (const [name, bytes] of Object.entries({ trial, prober: proberElf(Object.values(probes)) })) {
      writeFileSync(join(folder, name), bytes);
      chmodSync(join(folder, name), 0o755);
      guest.addProgram(name, join(folder, name));
    }
    guest.addCase('probes', '/prober');
    const result = runMachine(debianKernel(suite).path, guest.pack()).get('probes');
    assert.ok(result);
    const answers = readAnswers(probes, result.bytes);
    assert.deepEqual(memoryExecution(answers), ['yes']);
    assert.deepEqual(confinedExecution(answers), ['yes']);
    assert.deepEqual(refusedCalls(answers), []);
    const absent = judgeFeatures(answers, PLACE, undefined).filter(
      ({ group, answer }) => GROUPS.includes(group) && answer !== 'yes',
    );
    assert.deepEqual(absent.map(({ name }) => name).sort(), [...missing].sort());
  });
