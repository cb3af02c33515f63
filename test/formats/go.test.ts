import assert from 'node:assert/strict';
import test from 'node:test';
import { PolicyError, UsageError } from '../../src/base/errors.ts';
import { compilePolicy } from '../../src/compile/compile-policy.ts';
import type { FormatOutput } from '../../src/formats/format.ts';
import { readProgram, write } from '../../src/formats/go/format.ts';
import { parsePolicy } from '../../src/policy/parse.ts';

const OPTIONS = { package: 'main', func: 'ConfineSelkie' };

function textOf(arches: string, rules = 'read, write, "@go"'): string {
  return `{ selkie: 1, sets: 1, name: web, arches: ${arches}, default: errno(EPERM), syscalls: { allow: [${rules}] }, start: { allow: [execve] } }`;
}

function converted(text: string, options: Record<string, string> = OPTIONS, policyPath = '../p.yaml'): FormatOutput {
  return write({ policy: parsePolicy(text), policyDigest: 'a1'.repeat(32), policyPath, options });
}

test('the program in the text is what compile makes, without start: and with the probe', () => {
  for (const arches of ['[x86_64]', '[x86_64, i386, x32]', '[x86_64, aarch64]', '[aarch64]']) {
    const text = textOf(arches);
    const { program } = compilePolicy(parsePolicy(text), { probe: true });
    const loaders = converted(text).files.slice(0, -1);
    assert.ok(loaders.length > 0);
    for (const file of loaders) assert.deepEqual(readProgram(file.text), program, `${arches} ${file.name}`);
  }
});

test('one file for each ABI of the policy that Go has, one for the rest, and the name of what must not be left', () => {
  const namesOf = (arches: string) => converted(textOf(arches)).files.map(({ name }) => name);
  assert.deepEqual(namesOf('[x86_64]'), ['selkie_linux_amd64.go', 'selkie_other.go']);
  assert.deepEqual(namesOf('[aarch64]'), ['selkie_linux_arm64.go', 'selkie_other.go']);
  assert.deepEqual(namesOf('[aarch64, x86_64]'), ['selkie_linux_amd64.go', 'selkie_linux_arm64.go', 'selkie_other.go']);
  assert.deepEqual(converted(textOf('[x86_64]')).absent, ['selkie_linux_arm64.go']);
  assert.throws(
    () => converted(textOf('[i386]')),
    (error) => error instanceof PolicyError && error.code === 'wrong_arch',
  );
});

test('the text carries the digest, the command that makes it again, and what is permitted on its ABI', () => {
  const [amd64, arm64, other] = converted(
    textOf('[x86_64, aarch64]', 'open, { socket: domain == AF_UNIX }, "@go"'),
  ).files;
  for (const file of [amd64, arm64, other]) {
    assert.ok(file);
    assert.ok(file.text.includes(`ConfineSelkiePolicy = "${'a1'.repeat(32)}"`));
    assert.match(file.text, /^\/\/go:generate selkie convert \.\.\/p\.yaml --to go .* --force -o \.$/m);
    assert.match(file.text, /^\/\/ Code generated .* DO NOT EDIT\.$/m);
  }
  assert.match(amd64?.text ?? '', /\nopen\n[\s\S]*\nsocket: domain == AF_UNIX\n/);
  assert.doesNotMatch(arm64?.text ?? '', /\nopen\n/);
  assert.doesNotMatch(amd64?.text ?? '', /\nexecve\n/);
});

test('rules of only: are listed, and hold the floor, for their own ABI', () => {
  const text = (arch: string): string =>
    textOf('[x86_64, aarch64]', 'read').replace('start:', `only: { ${arch}: { allow: [listen, "@go"] } }, start:`);
  const { files, notes } = converted(text('aarch64'));
  assert.doesNotMatch(files[0]?.text ?? '', /\nlisten\n/);
  assert.match(files[1]?.text ?? '', /\nlisten\n/);
  assert.ok(notes.some((note) => note.includes("Go's runtime may need")));
  const both = text('aarch64, x86_64').replace('aarch64, x86_64:', 'x86_64: { allow: ["@go"] }, aarch64:');
  assert.ok(!converted(both).notes.some((note) => note.includes("Go's runtime may need")));
});

test('paths with spaces, quotes and dollars reach go generate as one word', () => {
  const [file] = converted(textOf('[x86_64]'), OPTIONS, 'a "b" $HOME/p.yaml').files;
  assert.ok(file?.text.includes('//go:generate selkie convert "a \\"b\\" $DOLLARHOME/p.yaml" --to go'));
});

test('a policy without the floor of the Go runtime gets a note, one with it none', () => {
  assert.match(converted(textOf('[x86_64]', 'read')).notes.join(), /futex.*add "@go"/);
  assert.deepEqual(converted(textOf('[x86_64]')).notes, []);
});

test('names that Go refuses, or that the files use, are refused', () => {
  for (const name of ['', '1x', 'a-b', 'func', '_', 'x y', 'é'])
    for (const option of ['package', 'func'])
      assert.throws(
        () => converted(textOf('[x86_64]'), { ...OPTIONS, [option]: name }),
        (error) => error instanceof UsageError && error.code === 'bad_name',
        `${option} ${name}`,
      );
  for (const func of ['main', 'init', 'fmt', 'selkieConfine', 'len', 'true', 'uintptr'])
    assert.throws(
      () => converted(textOf('[x86_64]'), { ...OPTIONS, func }),
      (error) => error instanceof UsageError && error.code === 'bad_name',
      func,
    );
});
