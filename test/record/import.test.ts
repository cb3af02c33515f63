import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parsePolicy } from '../../src/policy/parse.ts';
import { permittedLines } from '../../src/policy/permitted.ts';
import type { Evidence } from '../../src/record/evidence.ts';
import { parseEvidence } from '../../src/record/evidence.ts';
import { importLogs } from '../../src/record/import.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { runCommand, selkie } from '../support/selkie.ts';
import { cannotCompile, missingTools } from '../support/tools.ts';

const folder = temporaryFolder();
let files = 0;
function imported(text: string, name = `log-${++files}.txt`) {
  const file = join(folder, name);
  writeFileSync(file, text);
  return importLogs([file]);
}
const calls = (lines: readonly Evidence[]): string[] =>
  lines.map(({ exe, arch, syscall, nr, phase, count, denied }) =>
    [exe, arch, syscall ?? nr, phase, count, ...(denied ? [`denied ${denied}`] : [])].join(' '),
  );

/** Threads, a child by fork that executes, a signal handler, a call that fails: what strace writes in pieces. */
const SOURCE = `#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static void *run(void *p) { struct timespec t = {0, 3000000}; nanosleep(&t, 0); getppid(); return p; }
static void handle(int s) { (void)s; }
int main(void) { pthread_t t[3]; signal(SIGUSR1, handle);
  for (int i = 0; i < 3; i++) pthread_create(t + i, 0, run, 0);
  kill(getpid(), SIGUSR1);
  for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
  if (!fork()) execl("/bin/true", "true", (char *)0);
  wait(0); mkdir("/", 0700); puts("hi"); return 0; }`;

/** Of both phases: a log does not tell them apart. */
function permitted(policyFile: string): Set<string> {
  const { start = [], ...program } = parsePolicy(readFileSync(policyFile, 'utf8'));
  return new Set([...permittedLines(program), ...permittedLines({ ...program, syscalls: start })]);
}

/** What chance decides: whether a lock was taken when a thread asked, and a call interrupted. */
const CHANCE = ['futex', 'restart_syscall'];

for (const [name, flags] of [
  ['x86_64', []],
  ['i386', ['-m32']],
] as const)
  for (const [way, columns] of [
    ['-o', []],
    ['stderr', []],
    ['-ff', ['-ff']],
    ['-o', ['-tt', '-T', '-i', '-n', '-y']],
    ['-o', ['-ttt', '-y']],
    ['-o', ['-r', '-k']],
    ['stderr', ['-r', '-n']],
  ] as const)
    test(`${name}: strace -f ${columns.join(' ')} (${way}) permits what record permits`, {
      skip: missingTools('strace') || cannotCompile('-pthread', ...flags),
    }, () => {
      const program = compileC(folder, `threads-${name}`, SOURCE, ['-pthread', ...flags]);
      const id = join(folder, `set-${++files}`);
      const output = way === 'stderr' ? [] : ['-o', `${id}.log`];
      const traced = runCommand(['strace', '-f', ...columns, ...output, program]);
      if (way === 'stderr') writeFileSync(`${id}.log`, traced.stderr);
      const logs =
        way === '-ff'
          ? runCommand(['sh', '-c', `ls ${id}.log.*`])
              .stdout.trim()
              .split('\n')
          : [`${id}.log`];
      assert.equal(selkie(['record', '-q', '--no-floor', '-o', `${id}.yaml`, program]).status, 0);
      const result = selkie(['record', '--import', '--no-floor', '-o', `${id}-log.yaml`, ...logs]);
      assert.equal(result.status, 0, result.stderr);
      assert.doesNotMatch(result.stderr, /are not of strace|is "\?"/);
      const [byLog, byRecord] = [permitted(`${id}-log.yaml`), permitted(`${id}.yaml`)];
      for (const call of CHANCE) for (const set of [byLog, byRecord]) set.delete(call);
      assert.deepEqual([...byLog].sort(), [...byRecord].sort());
      const lines = parseEvidence(readFileSync(`${id}-log.evidence.json`, 'utf8'), 'log');
      assert.deepEqual([...new Set(lines.map(({ exe }) => exe))].sort(), [program, '/usr/bin/true'].sort());
      assert.ok(lines.some(({ exe, arch, syscall }) => exe === program && arch === name && syscall === 'getppid'));
    });

test('a thread that executes, a call that began before, a filter that was there', () => {
  const { evidence } = imported(`5 <... poll resumed>) = 1
5 clone3({flags=CLONE_VM} => {parent_tid=[6]}, 88) = 6
6 execve("/x y\\"z", ["x"], 0x7f /* 3 vars */ <pid changed to 5 ...>
5 +++ superseded by execve in pid 6 +++
5 <... execve resumed>) = 0
5 mkdir("a) = 7", 0777) = 83
5 --- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x7f, si_syscall=__NR_mkdir, si_arch=AUDIT_ARCH_X86_64} ---
5 syscall_0x1f40(0, 0, 0) = -1 ENOSYS (Function not implemented)
`);
  assert.deepEqual(calls(evidence).sort(), [
    '/x y"z x86_64 8000 program 1',
    '/x y"z x86_64 mkdir program 1 denied 1',
    '? x86_64 clone3 program 1',
    '? x86_64 execve program 1',
    '? x86_64 poll program 1',
  ]);
});

test("strace's words in the middle of a line, on stderr", () => {
  const { evidence, notes } = imported(`execve("/x", ["x"], 0x7f /* 3 vars */) = 0
clone3({flags=CLONE_VM}strace: Process 8 attached
 => {parent_tid=[8]}, 88) = 8
[pid 8] getpid() = 7
[pid 7] futex(0xf7, FUTEX_WAITstrace: Process 9 attached
strace: Process 10 attached
 <unfinished ...>
[pid 8] +++ exited with 0 +++
[pid 7] <... futex resumed>) = 0
`);
  assert.deepEqual(calls(evidence), [
    '/x x86_64 clone3 program 1',
    '/x x86_64 futex program 1',
    '/x x86_64 getpid program 1',
    '/x x86_64 execve start 1',
  ]);
  assert.ok(!notes.some((note) => /are not of/.test(note)));
});

test('strace -c: one table an ABI, and exit_group is said to be missing', () => {
  const table = (name: string) => `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 62.03    0.000049           6         8         2 ${name}
  0.00    0.000000           0         3           close
------ ----------- ----------- --------- --------- ----------------
100.00    0.000079           2        11         2 total
`;
  const { evidence, notes } = imported(`${table('mmap')}System call usage summary for 32 bit mode:\n${table('mmap2')}`);
  assert.deepEqual(calls(evidence), [
    '? i386 close program 3',
    '? i386 mmap2 program 8',
    '? x86_64 close program 3',
    '? x86_64 mmap program 8',
  ]);
  assert.ok(notes.some((note) => /exit_group/.test(note)));
});

test('audit: raw, from the kernel log and by ausearch -i; ABIs, x32, hexadecimal paths; what was denied and what only logged', () => {
  const seccomp = 'auid=1 uid=1 gid=1 ses=3 subj=unconfined pid=9';
  const { evidence } =
    imported(`type=SECCOMP msg=audit(1.2:3): ${seccomp} comm="x" exe="/bin/x" sig=31 arch=c000003e syscall=83 compat=0 ip=0x7f12 code=0x80000000
type=SECCOMP msg=audit(1.2:4): ${seccomp} comm="x" exe=2F612062 sig=0 arch=40000003 syscall=39 compat=1 ip=0x7f12 code=0x7ffc0000
[ 12.3] audit: type=1326 audit(1.2:5): ${seccomp} comm="x" exe="/bin/x" sig=0 arch=c000003e syscall=1073741863 compat=0 ip=0x7f code=0x50001
type=SYSCALL msg=audit(11/26/2026 19:29:21.000:3) : arch=x86_64 syscall=openat success=yes exit=3 a0=0x1 items=1 ppid=1 pid=2 comm=ls exe=/usr/bin/nols key=(null)
type=PATH msg=audit(1.2:3): item=0 name="/x"
----
`);
  assert.deepEqual(calls(evidence).sort(), [
    '/a b i386 mkdir program 1',
    '/bin/x x32 getpid program 1 denied 1',
    '/bin/x x86_64 mkdir program 1 denied 1',
    '/usr/bin/nols x86_64 openat program 1',
  ]);
});

test('perf trace: calls in two lines count once; the summary of -s', () => {
  const { evidence, notes } = imported(
    `         ? (         ): t/10  ... [continued]: execve())                  = 0
     7.483 (         ): t/10 clock_nanosleep(rqtp: 0x7f)                              ...
     9.1   ( 0.018 ms): t/11 brk()                                                    = 0x55
     7.483 ( 3.101 ms): t/10  ... [continued]: clock_nanosleep())                     = 0
LOST 3 events!
`.replace('9.1  ', '9.100'),
  );
  assert.deepEqual(calls(evidence), [
    't x86_64 brk program 1',
    't x86_64 clock_nanosleep program 1',
    't x86_64 execve program 1',
  ]);
  assert.ok(notes.some((note) => /lost 3 events/.test(note)));
  const summary = imported(` Summary of events:

 my prog (10244), 121 events, 48.2%

   syscall            calls  errors  total       min       avg       max       stddev
                                     (msec)    (msec)    (msec)    (msec)        (%)
   --------------- --------  ------ -------- --------- --------- ---------     ------
   futex                  3      0     2.948     0.324     0.983     2.276     65.80%

`);
  assert.deepEqual(calls(summary.evidence), ['my prog x86_64 futex program 3']);
});

test('bpftrace: numbers, short names, tracepoints', () => {
  const { evidence } = imported(`Attaching 2 probes...

@[231]: 2
@b[bash, 9]: 3
@c[tracepoint:syscalls:sys_enter_newfstat]: 4
`);
  assert.deepEqual(
    calls(evidence),
    ['? x86_64 exit_group program 2', '? x86_64 fstat program 4', 'bash x86_64 mmap program 3'].sort(),
  );
});

test('lines of nothing known are counted and shown; a log of them alone is refused with file, line and what was wanted', () => {
  const { notes } = imported('brk(NULL) = 0x55\nhello\nworld\n');
  assert.ok(
    notes.some((note) => /^2 lines of ".*" are not of strace: .*:2: "hello"; .*:3: "world"$/.test(note)),
    notes[0],
  );
  const file = join(folder, 'nothing.txt');
  writeFileSync(file, 'hello\n');
  const auto = selkie(['record', '--import', '-o', join(folder, 'no.yaml'), file]);
  assert.match(auto.stderr, /nothing\.txt": line 1: found no line of audit, perf, bpftrace, strace/);
  const named = selkie(['record', '--import', '--format', 'audit', '-o', join(folder, 'no.yaml'), file]);
  assert.match(named.stderr, /nothing\.txt:1: .*"hello".*wanted a line of records SECCOMP/);
  assert.deepEqual([auto.status, named.status], [125, 125]);
});
