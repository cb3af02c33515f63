import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { Ajv } from 'ajv';
import { RULES } from '../../src/audit/registry.ts';
import { scratchFolder } from '../support/folders.ts';
import { buildGo, GO_TOOLS } from '../support/go.ts';
import { SARIF_SCHEMA } from '../support/sarif-schema.ts';
import { ROOT, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const DENY = `selkie: 1
sets: 1
arches: [x86_64]
default: allow
syscalls:
  errno(EPERM):
    - ioctl: u64(request) == TIOCSTI
    - mkdir
`;
const STRICT = `selkie: 1
sets: 1
arches: [x86_64]
default: errno(ENOSYS)
syscalls:
  allow: [exit, exit_group, restart_syscall, rt_sigreturn]
`;

test('lint: findings by severity, one a line, with place and what to do; exit code 1', (context) => {
  const file = join(scratchFolder(context), 'deny.yaml');
  writeFileSync(file, DENY);
  const { status, stdout } = selkie(['lint', file]);
  assert.equal(status, 1);
  const lines = stdout.trim().split('\n');
  const order = lines.map((line) => ['error', 'warning', 'note'].indexOf(line.split(' ')[0] as string));
  assert.deepEqual(order, order.toSorted());
  for (const line of lines) assert.match(line, /^(error|warning|note) [a-z-]+( \S+:\d+:\d+)?: .+; to mend: .+/);
  assert.match(lines[0] as string, /^error effective-width \S+deny\.yaml:7:7: ioctl /);
});

test('lint: nothing found is exit code 0, notes alone too; bad input 2', (context) => {
  const file = join(scratchFolder(context), 'strict.yaml');
  writeFileSync(file, STRICT);
  const clean = selkie(['lint', file]);
  assert.deepEqual([clean.status, clean.stdout], [0, 'nothing found\n']);
  const noted = selkie(['lint', '-'], { input: STRICT.replace('exit,', 'exit, ptrace,') });
  assert.equal(noted.status, 0);
  assert.match(noted.stdout, /^note risky-open standard input:6:\d+: open: ptrace/);
  assert.equal(selkie(['lint', '/nonexistent']).status, 2);
  assert.equal(selkie(['lint', file, '--format', 'xml']).status, 2);
  assert.equal(selkie(['lint', '-'], { input: 'selkie: 1\n' }).status, 2);
});

test('lint --json: counts and findings', (context) => {
  const file = join(scratchFolder(context), 'deny.yaml');
  writeFileSync(file, DENY);
  const { status, stdout } = selkie(['lint', file, '--json']);
  assert.equal(status, 1);
  const { counts, findings, kind } = JSON.parse(stdout);
  assert.equal(kind, 'policy');
  assert.equal(counts.error, 1);
  assert.equal(findings.length, counts.error + counts.warning + counts.note);
  const first = findings[0];
  assert.deepEqual(
    [first.id, first.severity, first.place.line, first.arches],
    ['effective-width', 'error', 7, ['x86_64']],
  );
});

test('lint --format sarif: valid, every result points to its rule and to a line of the policy', (context) => {
  const file = join(scratchFolder(context), 'my deny.yaml');
  writeFileSync(file, DENY);
  const { status, stdout } = selkie(['lint', file, '--format', 'sarif']);
  assert.equal(status, 1);
  const log = JSON.parse(stdout);
  const validate = new Ajv({ strict: false, formats: { 'uri-reference': /^[\w\-./:%~+@]+$/ } }).compile(SARIF_SCHEMA);
  const isValid: boolean = validate(log);
  assert.ok(isValid, JSON.stringify(validate.errors));
  const [{ tool, results }] = log.runs;
  for (const { ruleId, ruleIndex } of results) assert.equal(tool.driver.rules[ruleIndex].id, ruleId);
  const wide = results.find(({ ruleId }: { ruleId: string }) => ruleId === 'effective-width');
  assert.equal(wide.level, 'error');
  const { artifactLocation, region } = wide.locations[0].physicalLocation;
  assert.equal(artifactLocation.uri, `file://${encodeURI(file)}`);
  assert.deepEqual(region, { startLine: 7, startColumn: 7 });
  const empty = JSON.parse(selkie(['lint', '-', '--format', 'sarif'], { input: STRICT }).stdout);
  const isEmptyValid: boolean = validate(empty);
  assert.ok(isEmptyValid);
  assert.deepEqual(empty.runs[0].results, []);
});

test('docs/lint.md names every rule, and no other', () => {
  const text = readFileSync(join(ROOT, 'docs/lint.md'), 'utf8');
  const named = [...text.matchAll(/^\| `([a-z-]+)` \| (\w+)/gm)].map(([, id, severity]) => `${id} ${severity}`);
  assert.deepEqual(
    named,
    RULES.map(({ id, severity }) => `${id} ${severity}`),
  );
});

/** No error and no warning in what record writes; a sealed binary is judged by its program, whose probe call is not counted. */
function assertNoAlarm(policy: string): void {
  const { status, stdout } = selkie(['lint', policy]);
  assert.equal(status, 0, stdout);
}

const go = GO_TOOLS.find(({ here }) => here);
test('lint: no alarm on the recorded story, nor on the binary sealed with it', {
  skip: go ? false : 'go is not installed',
}, (context) => {
  const folder = scratchFolder(context);
  buildGo((go as NonNullable<typeof go>).go, 'story', join(folder, 'makeTheFolder'), { cgo: false });
  const recorded = selkie(['record', './makeTheFolder'], { cwd: folder });
  assert.equal(recorded.status, 0, recorded.stderr);
  assertNoAlarm(join(folder, 'makeTheFolder.yaml'));
  const sealed = selkie(['seal', '-p', 'makeTheFolder.yaml', 'makeTheFolder', '-o', 'sealed'], { cwd: folder });
  assert.equal(sealed.status, 0, sealed.stderr);
  assertNoAlarm(join(folder, 'sealed'));
});

const COMMANDS: readonly (readonly [tool: string, command: readonly string[]])[] = [
  ['ls', ['ls', '-l', '/']],
  ['sh', ['sh', '-c', 'ls / | sort | head -n 2; date']],
  ['python3', ['python3', '-c', 'import threading, tempfile; tempfile.TemporaryFile().write(b"x")']],
  ['node', [process.execPath, '-e', 'require("fs").writeFileSync("x", "1")']],
];
for (const [tool, command] of COMMANDS)
  test(`lint: no alarm on what record writes of ${tool}`, { skip: missingTools(tool) }, (context) => {
    const folder = scratchFolder(context);
    const recorded = selkie(['record', '-o', 'p.yaml', ...command], { cwd: folder });
    assert.equal(recorded.status, 0, recorded.stderr);
    assertNoAlarm(join(folder, 'p.yaml'));
  });
