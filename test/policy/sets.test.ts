import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLOORS } from '../../src/facts/floors.ts';
import { allSyscallNames } from '../../src/facts/syscalls.ts';
import { EDITION_1 } from '../../src/policy/sets/edition-1.ts';
import { setMembers, setNames, sets } from '../../src/policy/sets.ts';

test('edition 1 has at most 20 sets by what a program does', () => assert.ok(EDITION_1.length <= 20));

test('every member is a known system call with a reason of one line', () => {
  const known = new Set(allSyscallNames());
  for (const { name, members } of sets(1)) {
    assert.ok(members.length > 0);
    for (const member of members) {
      assert.ok(known.has(member.name), `@${name}: ${member.name}`);
      assert.match(member.reason, /^\S.{3,160}$/, member.name);
    }
  }
});

test('the sets are disjoint, with @fallback too, so that each can have its own action', () => {
  const seen = new Map<string, string>();
  const fallback = (FLOORS.fallback ?? []).map(({ name }) => name);
  for (const { name, members } of [
    ...EDITION_1,
    { name: 'fallback', members: fallback.map((each) => ({ name: each })) },
  ]) {
    for (const member of members) {
      assert.equal(seen.get(member.name), undefined, `${member.name} is in @${name} too`);
      seen.set(member.name, name);
    }
  }
});

test('dangerous calls are in no set that ordinary programs need', () => {
  const owner = (call: string): string | undefined =>
    EDITION_1.find(({ members }) => members.some(({ name }) => name === call))?.name;
  assert.equal(owner('execve'), 'exec');
  assert.equal(owner('ptrace'), 'debug');
  assert.equal(owner('mount'), 'admin');
});

test('sets() refuses an edition that does not exist; floors are among the sets', () => {
  assert.throws(() => sets(2), RangeError);
  for (const name of ['go', 'glibc-threads', 'fallback', 'stdio']) assert.ok(setNames(1).includes(name));
  assert.equal(setMembers(1, 'nothing'), undefined);
});
