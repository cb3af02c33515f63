import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { buildProgram } from '../support/builds.ts';
import { scratchFolder } from '../support/folders.ts';
import { GO_TOOLS } from '../support/go.ts';
import { ROOT, runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const POLICY = `selkie: 1
sets: 1
name: confined
arches: [x86_64, aarch64]
default: errno(EPERM)
unknown: errno(ENOSYS)
kernel: "6.18"
syscalls:
  allow:
    - read
    - write
    - "@go"
  errno(ENOSYS):
    - "@fallback"
`;
/** Threads of the C library make these calls when they start. */
const CGO_POLICY = POLICY.replace('    - read\n', '    - mprotect\n    - read\n    - rseq\n    - set_robust_list\n');
const goTool = missingTools('go', 'gofmt');

/** A module of the test program and the converted policy. */
function converted(context: TestContext, policy = POLICY, program = 'go-confine'): string {
  const folder = scratchFolder(context);
  writeFileSync(join(folder, 'policy.yaml'), policy);
  cpSync(join(ROOT, 'test/programs', program), join(folder, 'app'), { recursive: true });
  writeFileSync(join(folder, 'app/go.mod'), 'module confined\n\ngo 1.19\n');
  const made = selkie(['convert', 'policy.yaml', '--to', 'go', '-o', 'app'], { cwd: folder });
  assert.equal(made.status, 0, made.stderr);
  return folder;
}

function go(tool: string, folder: string, words: readonly string[], extra: NodeJS.ProcessEnv = {}): string {
  const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '', ...extra };
  const { status, stdout, stderr } = runCommand([tool, ...words], { cwd: join(folder, 'app'), env });
  assert.equal(status, 0, `${words.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

for (const { label, go: tool, here } of GO_TOOLS)
  for (const cgo of ['0', '1'])
    test(`Go source confines every thread, before and after, as uid 65534: ${label}, cgo ${cgo}`, {
      skip: here ? false : `${label} is not installed`,
    }, (context) => {
      const folder = converted(context, cgo === '1' ? CGO_POLICY : POLICY);
      if (cgo === '1')
        writeFileSync(join(folder, 'app/cgo.go'), 'package main\n\nimport "C" // threads of the C library\n');
      go(tool, folder, ['build', '-o', '../program', '.'], { CGO_ENABLED: cgo });
      for (let round = 0; round < 20; round += 1) {
        const run = runCommand(['./program'], { cwd: folder, nobody: true });
        assert.equal(run.status, 0, run.stdout + run.stderr);
        assert.match(run.stdout, /^refused in 24 of 24 threads\narch_prctl\n/);
        assert.match(run.stdout, /\nread\n[\s\S]*\nwrite\n/);
        assert.doesNotMatch(run.stdout, /getppid/);
      }
    });

for (const { label, go: tool, here } of GO_TOOLS)
  test(`Go source narrows every thread to service:, once: ${label}`, {
    skip: here ? false : `${label} is not installed`,
  }, (context) => {
    const policy = `${POLICY.replace(/\n {4}- /, '\n    - getppid\n    - ')}service:\n  allow:\n    - exit_group\n    - write\n    - "@go"\n`;
    const folder = converted(context, policy, 'go-service');
    go(tool, folder, ['vet', '.']);
    go(tool, folder, ['build', '-o', '../program', '.']);
    for (let round = 0; round < 20; round += 1) {
      const { status, stdout, stderr } = runCommand(['./program'], { cwd: folder, nobody: true });
      assert.equal(status, 0, stdout + stderr);
      assert.match(
        stdout,
        /^refused before 0, after 24 of 24\nselkie: cannot narrow this program: seccomp: .*operation not permitted\n$/,
      );
    }
  });

test('every task of the confined process has the filter and no_new_privs', { skip: goTool }, async (context) => {
  const folder = converted(context);
  go('go', folder, ['build', '-o', '../program', '.']);
  const child = spawn('./program', ['wait'], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] });
  context.after(() => child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const tasks = `/proc/${child.pid}/task`;
  // The workers' threads end with them, maybe while we look; the runtime's own are left.
  const states = readdirSync(tasks).flatMap((task) => {
    try {
      return [readFileSync(`${tasks}/${task}/status`, 'utf8')];
    } catch {
      return [];
    }
  });
  assert.ok(states.length > 2, `${states.length} threads`);
  for (const state of states) assert.match(state, /NoNewPrivs:\t1\nSeccomp:\t2\n/);
  child.stdin.end();
  const status = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(status, 0);
});

test('the files are as gofmt writes them, vetted, and build for arm64, darwin and windows', {
  skip: goTool,
}, (context) => {
  const folder = converted(context);
  assert.equal(runCommand(['gofmt', '-l', 'app'], { cwd: folder }).stdout, '');
  for (const { go: tool, here } of GO_TOOLS) if (here) go(tool, folder, ['vet', '.']);
  go('go', folder, ['vet', '.'], { GOARCH: 'arm64' });
  go('go', folder, ['build', '-o', '../arm64', '.'], { GOARCH: 'arm64' });
  go('go', folder, ['vet', '.'], { GOOS: 'darwin', GOARCH: 'arm64' });
  writeFileSync(join(folder, 'app/main.go'), 'package main\n\nfunc main() {\n\tprintln(ConfineSelkie().Error())\n}\n');
  for (const system of ['darwin', 'windows']) go('go', folder, ['build', '-o', `../${system}`, '.'], { GOOS: system });
  go('go', folder, ['build', '-o', '../riscv64', '.'], { GOARCH: 'riscv64' });
});

test('go generate makes the same files again', { skip: goTool }, (context) => {
  const folder = converted(context);
  const read = (): string[] =>
    ['amd64', 'arm64'].map((goarch) => readFileSync(join(folder, `app/selkie_linux_${goarch}.go`), 'utf8'));
  const before = read();
  go('go', folder, ['generate', '.'], { PATH: `${join(ROOT, 'bin')}:${process.env.PATH}` });
  assert.deepEqual(read(), before);
});

test('a refused load is an error with its errno and no claim of success', {
  skip: goTool || missingTools('gcc'),
}, (context) => {
  const folder = converted(context);
  go('go', folder, ['build', '-o', '../program', '.']);
  const outer = (answer: string): string =>
    `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  ${answer}:\n    - seccomp\n`;
  for (const [answer, status, text] of [
    ['errno(EPERM)', 1, /an outer filter forbids it: operation not permitted/],
    ['errno(ENOSYS)', 38, /Linux 3\.17/],
    ['errno(EINVAL)', 22, /without filters/],
  ] as const) {
    writeFileSync(join(folder, 'outer.yaml'), outer(answer));
    const run = selkie(['run', '-p', 'outer.yaml', './program'], { cwd: folder });
    assert.equal(run.status, status, run.stdout + run.stderr);
    assert.match(run.stdout, text, answer);
  }
});

test('an outer filter that only pretends to install ours is found out', {
  skip: goTool || missingTools('gcc'),
}, (context) => {
  const folder = converted(context);
  go('go', folder, ['build', '-o', '../program', '.']);
  const { path } = buildProgram({ name: 'outer', tool: 'gcc', flags: ['-static'] }, 'outer.c', folder);
  for (const [which, text] of [
    ['seccomp', /the filter is not in force although the kernel said so/],
    ['prctl', /no_new_privs is not set although the kernel said so/],
  ] as const) {
    const run = runCommand([path, '0', which, './program'], { cwd: folder });
    assert.equal(run.status, 99, run.stdout + run.stderr);
    assert.match(run.stdout, text);
  }
});

test('a thread with a filter of its own is named', { skip: goTool }, (context) => {
  const folder = converted(context);
  writeFileSync(
    join(folder, 'app/main.go'),
    `package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// Installs the filter without TSYNC in a second thread, which so gets one that main does not have.
func own(done chan<- int) {
	runtime.LockOSThread()
	syscall.RawSyscall6(selkieSysPrctl, selkieSetNoNewPrivs, 1, 0, 0, 0, 0)
	syscall.RawSyscall6(selkieSysPrctl, 22, 2, fprogAddress(), 0, 0, 0)
	done <- syscall.Gettid()
	select {}
}

func main() {
	runtime.LockOSThread()
	done := make(chan int)
	go own(done)
	thread := <-done
	err := ConfineSelkie()
	fmt.Println(thread, err)
	if !errors.Is(err, syscall.ESRCH) {
		os.Exit(1)
	}
}
`,
  );
  writeFileSync(
    join(folder, 'app/fprog.go'),
    `package main

import "unsafe"

var ownFprog = selkieFprog{uint16(len(selkieProgram)), &selkieProgram[0]}

func fprogAddress() uintptr {
	return uintptr(unsafe.Pointer(&ownFprog))
}
`,
  );
  go('go', folder, ['build', '-o', '../program', '.']);
  const run = runCommand(['./program'], { cwd: folder });
  assert.equal(run.status, 0, run.stdout + run.stderr);
  const [, thread, named] = /^(\d+) .*thread (\d+) has a filter of its own/.exec(run.stdout) ?? [];
  assert.ok(thread !== undefined && thread === named, run.stdout);
});

test('convert refuses what stands there, replaces by --force, and names what is left from another policy', (context) => {
  const folder = scratchFolder(context);
  writeFileSync(join(folder, 'p.yaml'), POLICY);
  const convert = (...words: string[]) =>
    selkie(['convert', 'p.yaml', '--to', 'go', '-o', 'out', ...words], { cwd: folder });
  assert.equal(convert('--package', 'confine', '--func', 'Confine').status, 0);
  assert.match(
    readFileSync(join(folder, 'out/selkie_other.go'), 'utf8'),
    /^package confine$[\s\S]*^func Confine\(\) error/m,
  );
  const refused = convert();
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /selkie_linux_amd64\.go": it exists/);
  writeFileSync(join(folder, 'p.yaml'), POLICY.replace(', aarch64', ''));
  const replaced = convert('--force', '--json');
  assert.equal(replaced.status, 0, replaced.stderr);
  const { files, notes } = JSON.parse(replaced.stdout) as { files: string[]; notes: string[] };
  assert.deepEqual(files, ['out/selkie_linux_amd64.go', 'out/selkie_other.go']);
  assert.match(notes.join(), /selkie_linux_arm64\.go" is left from another policy/);
});

test('convert says what is wrong: format, names, folder', (context) => {
  const folder = scratchFolder(context);
  writeFileSync(join(folder, 'p.yaml'), POLICY);
  mkdirSync(join(folder, 'out'));
  writeFileSync(join(folder, 'file'), '');
  for (const [words, message] of [
    [['--to', 'rust'], /Cannot convert to "rust": wanted one of go/],
    [['--to', 'go', '--func', 'func'], /Cannot use --func "func"/],
    [['--to', 'go', '-o', 'file/x'], /Cannot write to "file\/x"/],
    [[], /--to/],
  ] as const) {
    const { status, stderr } = selkie(['convert', 'p.yaml', ...words], { cwd: folder });
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
  }
  assert.deepEqual(readdirSync(folder).sort(), ['file', 'out', 'p.yaml']);
});
