// The lifting bar: filters of real sandboxes, read from live processes or as they are installed, become policies that are proven equal.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { taskStatus } from '../../src/kernel/task-status.ts';
import { buildProgram } from '../support/builds.ts';
import { scratchFolder } from '../support/folders.ts';
import { type Finished, selkie } from '../support/selkie.ts';
import { cannotCompile, missingTools } from '../support/tools.ts';

const DOCKER = '/usr/share/containers/seccomp.json';
const isRoot = process.getuid?.() === 0;

interface Lifted {
  readonly exact: boolean;
  readonly exactElsewhere: boolean;
  readonly problems: readonly string[];
  readonly rules: number;
  readonly policy: string;
}

function fieldsOf(finished: Finished, text: string): Lifted {
  const json = text.slice(text.indexOf('{\n'), text.lastIndexOf('\n}') + 2);
  assert.match(json, /^\{/, finished.stderr);
  return JSON.parse(json);
}

/** The policy is compiled again, and its program proven equal to the filter by itself. */
function again(lifted: Lifted, filter: string, cwd: string): void {
  writeFileSync(join(cwd, 'again.yaml'), lifted.policy);
  const compiled = selkie(['compile', 'again.yaml', '-o', 'again.bpf', '--force'], { cwd });
  assert.equal(compiled.status, 0, compiled.stderr);
  const proven = selkie(['prove', '-p', 'again.bpf', filter], { cwd });
  assert.equal(proven.status, 0, proven.stdout);
}

function liftCommand(command: readonly string[], cwd: string, nobody: boolean): Lifted {
  const finished = selkie(['lift', '--json', '--', ...command], { cwd, nobody, timeout: 60_000 });
  return fieldsOf(finished, finished.stderr);
}

/** A started command whose process, or whose descendant, has a filter. */
async function confined(
  context: TestContext,
  command: readonly string[],
  cwd: string,
  name = 'sleep',
): Promise<number> {
  const [file = '', ...words] = command;
  const child = spawn(file, words, { cwd, stdio: 'ignore', detached: true, env: { ...process.env, STAY: '1' } });
  context.after(() => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // It has ended.
    }
  });
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    const found = descendants(child.pid as number).findLast(
      (pid) => taskStatus(pid)?.name === name && (taskStatus(pid)?.filters ?? 0) > 0,
    );
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${command.join(' ')}: no process with a filter`);
}

function descendants(root: number): number[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const isBelow = (pid: number): boolean => pid === root || (pid > 1 && isBelow(taskStatus(pid)?.ppid ?? 0));
  return all.filter(isBelow);
}

function liftPid(pid: number, cwd: string): Lifted {
  const finished = selkie(['lift', '--json', `pid:${pid}`], { cwd });
  const lifted = fieldsOf(finished, finished.stdout);
  again(lifted, `pid:${pid}`, cwd);
  return lifted;
}

const told = (what: string, { rules, exact, problems }: Lifted): void =>
  console.log(JSON.stringify({ what, rules, exact, problems }));

test('bubblewrap with a container profile: by notification as uid 65534, and from the live process', {
  skip: (!existsSync(DOCKER) && `no ${DOCKER}`) || missingTools('bwrap', 'setpriv'),
}, async (context) => {
  const cwd = scratchFolder(context);
  chmodSync(cwd, 0o777);
  assert.equal(selkie(['compile', DOCKER, '-o', join(cwd, 'docker.bpf')]).status, 0);
  const bwrap = (command: string): string[] => [
    'sh',
    '-c',
    `exec bwrap --dev-bind / / --seccomp 9 ${command} 9<docker.bpf`,
  ];
  const names = new Set([...readFileSync(DOCKER, 'utf8').matchAll(/^\s*"([a-z_0-9]+)",?$/gm)].map(([, name]) => name));
  const seen = liftCommand(bwrap('true'), cwd, true);
  told(`bubblewrap, profile of ${names.size} names`, seen);
  assert.deepEqual([seen.exact, seen.rules <= names.size + 60], [true, true]);
  if (!isRoot) return;
  const live = liftPid(await confined(context, bwrap('sleep 60'), cwd), cwd);
  assert.equal(live.policy, seen.policy);
});

const FIREJAIL: readonly { readonly options: readonly string[]; readonly most: number }[] = [
  { options: ['--seccomp'], most: 130 },
  { options: ['--seccomp.drop=mount,ptrace,socket'], most: 4 },
  // restart_syscall: reading the filter interrupts the sleep.
  {
    options: [
      '--seccomp.keep=read,write,openat,close,execve,mmap,brk,exit_group,fstat,newfstatat,mprotect,access,pread64,arch_prctl,set_tid_address,set_robust_list,rseq,prlimit64,munmap,getrandom,prctl,seccomp,clock_nanosleep,rt_sigaction,rt_sigprocmask,tgkill,gettid,getpid,futex,exit,lseek,fadvise64,clock_gettime,restart_syscall',
    ],
    most: 36,
  },
  { options: ['--nonewprivs', '--seccomp.drop=mount'], most: 3 },
  { options: ['--memory-deny-write-execute'], most: 8 },
  { options: ['--protocol=unix,inet'], most: 3 },
  { options: ['--protocol=unix,inet', '--seccomp', '--memory-deny-write-execute'], most: 140 },
];

for (const { options, most } of FIREJAIL)
  test(`firejail ${options.join(' ').slice(0, 60)}`, {
    skip: isRoot ? missingTools('firejail') : 'needs root',
  }, async (context) => {
    const cwd = scratchFolder(context);
    const command = ['firejail', '--noprofile', '--quiet', ...options];
    const live = liftPid(await confined(context, [...command, 'sleep', '60'], cwd), cwd);
    told(`firejail ${options.join(' ').slice(0, 60)}`, live);
    assert.ok(live.exact && live.rules <= most, `${live.rules} rules\n${live.problems.join('\n')}\n${live.policy}`);
    const seen = liftCommand([...command, 'sleep', '0'], cwd, false);
    assert.equal(seen.policy, live.policy);
  });

const SETTINGS = { service: 74, families: 1, wx: 4, namespaces: 4, personality: 1, realtime: 1 };

test('one filter for each setting, as a service manager makes them with libseccomp; all together lift as one', {
  skip: cannotCompile('-lseccomp', '-include', 'seccomp.h') || missingTools('setpriv'),
}, async (context) => {
  const cwd = scratchFolder(context);
  chmodSync(cwd, 0o777);
  const { path } = buildProgram(
    { name: 'systemd-style', tool: 'gcc', flags: ['-Wl,--no-as-needed', '-lseccomp'] },
    'systemd-style.c',
    cwd,
  );
  for (const [setting, rules] of [...Object.entries(SETTINGS), [Object.keys(SETTINGS).join(' '), 75] as const]) {
    const lifted = liftCommand([path, ...setting.split(' ')], cwd, true);
    told(setting, lifted);
    assert.deepEqual([lifted.exact, lifted.rules], [true, rules], lifted.policy);
    if (!isRoot) continue;
    const pid = await confined(context, [path, ...setting.split(' ')], cwd, basename(path).slice(0, 15));
    const count = setting.split(' ').length;
    while ((taskStatus(pid)?.filters ?? count) < count) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(liftPid(pid, cwd).policy, lifted.policy);
  }
});

test("Chromium's renderers and utility processes", {
  skip: isRoot ? missingTools('chromium', 'setpriv') : 'needs root',
}, async (context) => {
  const cwd = scratchFolder(context);
  chmodSync(cwd, 0o755);
  chownSync(cwd, 65534, 65534);
  writeFileSync(join(cwd, 'page.html'), '<p>here');
  const words = [
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    'chromium',
    '--headless',
    `--user-data-dir=${cwd}`,
    '--remote-debugging-port=0',
    `file://${cwd}/page.html`,
  ];
  const child = spawn('setpriv', words, { env: { ...process.env, HOME: cwd }, stdio: 'ignore', detached: true });
  context.after(() => process.kill(-(child.pid as number), 'SIGKILL'));
  const kindOf = (pid: number): string | undefined =>
    /--type=([a-z-]+)/.exec(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))?.[1];
  const kinds = new Map<string, number>();
  for (
    const deadline = Date.now() + 30_000;
    Date.now() < deadline && kinds.size < 2;
    await new Promise((resolve) => setTimeout(resolve, 200))
  )
    for (const pid of descendants(child.pid as number).filter((each) => (taskStatus(each)?.filters ?? 0) > 0))
      kinds.set(kindOf(pid) ?? '', pid);
  assert.ok(kinds.has('renderer') && kinds.has('utility'), [...kinds].join());
  for (const [kind, pid] of kinds) {
    const lifted = liftPid(pid, cwd);
    told(`chromium ${kind}`, lifted);
    assert.ok(lifted.exact && lifted.rules < 270, `${lifted.rules} rules\n${lifted.problems.join('\n')}`);
  }
});
