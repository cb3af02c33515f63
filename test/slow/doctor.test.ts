import { test } from 'node:test';
import { compareInPlace } from '../support/doctor.ts';
import { scratchFolder } from '../support/folders.ts';
import { MORE_PLACES } from '../support/places.ts';

for (const place of MORE_PLACES)
  test(`doctor says of every command what it then does: ${place.name}`, { skip: place.skip }, (context) => {
    compareInPlace(place, scratchFolder(context));
  });
