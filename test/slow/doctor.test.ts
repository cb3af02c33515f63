import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareInPlace, examine } from '../support/doctor.ts';
import { scratchFolder } from '../support/folders.ts';
import { MORE_PLACES, type Place } from '../support/places.ts';

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
