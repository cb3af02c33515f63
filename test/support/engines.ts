import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileC } from './programs.ts';
import { pause, type RunningRecorded, recordRunning } from './record-running.ts';
import { type Finished, runCommand } from './selkie.ts';

/** Real container engines, away from those that the machine may have. */

/**
 * Where engines have cgroup v2 alone, as most machines have it, and folders of their own for what they write: a mount namespace, which lives as
 * long as we do.
 */
const PLACE = `
umount -R /sys/fs/cgroup 2>/dev/null
mount -t cgroup2 none /sys/fs/cgroup || exit
for folder in /run /var/lib/docker /var/lib/containers /var/lib/containerd; do
  mkdir -p $folder && mount -t tmpfs none $folder || exit
done
echo ready
exec cat`;

export class EnginePlace {
  readonly #holder: ChildProcess;
  readonly #folder: string;
  readonly #daemons: ChildProcess[] = [];
  readonly #removals: (readonly string[])[] = [];

  private constructor(holder: ChildProcess, folder: string) {
    this.#holder = holder;
    this.#folder = folder;
  }

  /** @param folder - for files of its own; it must last longer */
  static async make(folder: string): Promise<EnginePlace> {
    const words = ['-m', '--propagation', 'private', 'sh', '-c', PLACE];
    const holder = spawn('unshare', words, { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve, reject) => {
      holder.stdout?.once('data', resolve);
      holder.once('exit', (status) => reject(new Error(`no place for engines can be made: ${status}`)));
    });
    return new EnginePlace(holder, folder);
  }

  /** Why there can be none; false where there can. */
  static get missing(): false | string {
    if (process.getuid?.() !== 0) return 'engines of containers need root';
    if (!readFileSync('/proc/filesystems', 'utf8').includes('cgroup2')) return 'this kernel has no cgroup v2';
    const { status } = spawnSync('unshare', ['-m', 'true']);
    return status !== 0 ? 'no mount namespace can be made' : existsSync(BTF) ? false : 'eBPF needs a kernel with BTF';
  }

  /** Runs a command that leaves something behind, which keeps its descriptors. @throws {Error} where it fails */
  start(...command: readonly string[]): void {
    const log = join(this.#folder, 'started.log');
    const { status } = this.#enter(command, openSync(log, 'w'));
    if (status !== 0) throw new Error(`${command.join(' ')}: ${status}: ${readFileSync(log, 'utf8')}`);
  }

  /** Runs a command to its end. @returns what it printed @throws {Error} where it fails */
  run(...command: readonly string[]): string {
    const { status, stdout, stderr } = this.#enter(command, 'pipe');
    if (status !== 0) throw new Error(`${command.join(' ')}: ${status}: ${stderr}`);
    return stdout;
  }

  /** Starts a daemon, and waits until a command that asks it succeeds. @throws {Error} with the end of what it said */
  async serve(command: readonly string[], asks: readonly string[]): Promise<void> {
    const log = join(this.#folder, `${command[0]}.log`);
    const words = [...this.#prefix, ...command];
    const output = openSync(log, 'w');
    this.#daemons.push(spawn(words[0] ?? '', words.slice(1), { stdio: ['ignore', output, output] }));
    for (let tries = 0; this.#enter(asks, 'ignore').status !== 0; tries += 1) {
      if (tries === 150) throw new Error(`${command[0]} does not answer: ${readFileSync(log, 'utf8').slice(-2000)}`);
      await pause(200);
    }
  }

  /** Records a container there. */
  record(word: string): Promise<RunningRecorded> {
    return recordRunning(this.#folder, ['--container', word], undefined, this.#prefix);
  }

  /** Runs a command before the daemons end. */
  runAtEnd(...command: readonly string[]): void {
    this.#removals.push(command);
  }

  async close(): Promise<void> {
    try {
      for (const command of this.#removals) this.run(...command);
    } finally {
      await this.#endDaemons();
      this.#holder.stdin?.end();
    }
  }

  async #endDaemons(): Promise<void> {
    for (const daemon of this.#daemons) {
      const gone = daemon.exitCode === null && new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGTERM');
      await gone;
    }
  }

  get #prefix(): readonly string[] {
    return ['nsenter', '-m', '-t', `${this.#holder.pid}`];
  }

  #enter(command: readonly string[], output: number | 'pipe' | 'ignore'): Finished {
    return runCommand([...this.#prefix, ...command], { stdio: ['ignore', output, output], timeout: 60_000 });
  }
}

const BTF = '/sys/kernel/btf/vmlinux';

/** A folder that is a container's root: its program calls the number of its argument for a minute. */
export function callerRoot(folder: string): string {
  const root = join(folder, 'rootfs');
  for (const name of ['proc', 'dev', 'sys', 'etc']) mkdirSync(join(root, name), { recursive: true });
  const source = `#include <stdlib.h>\n#include <sys/syscall.h>\n#include <unistd.h>
int main(int argc, char **argv) { for (int i = 0; i < 60000; i++) { syscall(atoi(argv[1])); usleep(1000); } return argc; }`;
  copyFileSync(compileC(folder, 'caller', source, ['-static', '-w']), join(root, 'caller'));
  return root;
}

/**
 * Changes what `runc spec` or `crun spec` wrote: the command, annotations, and no limits, which need rights and controllers that a machine may
 * lack.
 *
 * @param root - where it is not the folder `rootfs` beside the file
 */
export function editSpec(
  file: string,
  command: readonly string[],
  annotations: Readonly<Record<string, string>>,
  root = 'rootfs',
): void {
  const spec = JSON.parse(readFileSync(file, 'utf8'));
  const { rlimits: _, ...process } = spec.process;
  const { resources: __, ...linux } = spec.linux;
  const changes = { process: { ...process, terminal: false, args: command }, linux, annotations, root: { path: root } };
  writeFileSync(file, JSON.stringify({ ...spec, ...changes }));
}
