import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compareInPlace, examine, type Report, runIn } from '../support/doctor.ts';
import { denying, encode } from '../support/filters.ts';
import { scratchFolder } from '../support/folders.ts';
import { loadCpus } from '../support/load.ts';
import { below, MORE_PLACES, PLACES, type Place } from '../support/places.ts';
import { SELKIE } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

for (const place of MORE_PLACES)
  test(`doctor says of every command what it then does: ${place.name}`, { skip: place.skip }, (context) => {
    compareInPlace(place, scratchFolder(context));
  });

test('on an old kernel what it lacks is said, and that commands work all the same', (context) => {
  const place = MORE_PLACES.find(({ name }) => name === 'like Linux 5.10') as Place;
  const { features, commands } = examine(place, scratchFolder(context));
  const answer = (name: string) => features.find((feature) => feature.name === name)?.answer;
  assert.deepEqual(['WAIT_KILLABLE_RECV', 'Landlock', 'io_uring', 'TSYNC'].map(answer), ['no', 'no', 'no', 'yes']);
  assert.deepEqual(
    commands.filter(({ works }) => !works),
    [],
  );
});

const answerIn = (report: Report, name: string) => report.features.find((feature) => feature.name === name)?.answer;
test('what doctor notes of dynamic programs is how record then finds the end of their start', (context) => {
  const folder = scratchFolder(context);
  for (const [name, boundary] of [
    ['this machine', 'entry'],
    ['memory of others not writable', 'ip'],
  ]) {
    const place = [...PLACES, ...MORE_PLACES].find((one) => one.name === name) as Place;
    const note = examine(place, folder).commands.find(({ command }) => command === 'record')?.note;
    assert.equal(note === undefined, boundary === 'entry');
    const words = ['record', '--json', '--force', '-o', join(folder, 'boundary.yaml'), '/bin/true'];
    const { stderr } = runIn(place, [process.execPath, SELKIE, ...words], folder);
    assert.equal(JSON.parse(stderr).boundary, boundary);
  }
});

/** What other people's tools say of the same. */
const WITNESSES: readonly (readonly [feature: string, command: readonly string[]])[] = [
  ['ptrace of a child', ['/usr/bin/strace', '-o', '/dev/null', '/bin/true']],
  ['user namespaces', ['/usr/bin/unshare', '-U', '/bin/true']],
];

/** strace makes that call itself. */
const canTrace = ({ name }: Place): boolean => name !== 'killed for process_vm_readv';

for (const place of [...PLACES, ...MORE_PLACES].filter(canTrace))
  test(`doctor agrees with strace and unshare: ${place.name}`, {
    skip: place.skip || missingTools('strace'),
  }, (context) => {
    const folder = scratchFolder(context);
    const report = examine(place, folder);
    for (const [feature, command] of WITNESSES)
      assert.equal(answerIn(report, feature), runIn(place, command, folder).status === 0 ? 'yes' : 'no', feature);
  });

test('the actions are those that the kernel lists', (context) => {
  const { features } = examine(PLACES[0] as Place, scratchFolder(context));
  const actions = features
    .filter(({ group, answer }) => group === 'actions' && answer === 'yes')
    .map(({ name }) => name);
  const listed = readFileSync('/proc/sys/kernel/seccomp/actions_avail', 'utf8').trim().split(' ');
  assert.deepEqual(actions.sort(), listed.sort());
});

/** Makes all answers of a filter depend on arguments, as far as the kernel knows. */
const LOAD_FIRST_ARGUMENT = encode([[0x20, 0, 0, 16]]);

test('the bitmap of allowed calls is of no use below a filter that reads arguments, whatever else runs', (context) => {
  const folder = scratchFolder(context);
  const reading = below('reading', Buffer.concat([LOAD_FIRST_ARGUMENT, denying()]));
  const plain = below('plain', denying());
  const stop = loadCpus(2);
  try {
    for (let round = 0; round < 5; round += 1) {
      assert.equal(answerIn(examine(plain, folder), 'bitmap of allowed calls'), 'yes');
      assert.equal(answerIn(examine(reading, folder), 'bitmap of allowed calls'), 'no');
    }
  } finally {
    stop();
  }
});
