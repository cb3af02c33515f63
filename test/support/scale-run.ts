import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';

/** Runs programs by the hundred, each alone: no privileges, no network, nobody else's processes, nothing of it left. */

const TIMEOUT_MS = 10_000;
const LARGEST_OUTPUT = 4 << 20;

export interface Ran {
  /** Exit code, 128 + signal, or `runs on` after ten seconds. */
  readonly status: number | 'runs on';
  readonly output: string;
}

/**
 * In namespaces of its own: the packages over /usr and /etc, the file $2 in place of the program $3 ('' for the program itself), and empty
 * folders wherever somebody may write. The shell stays the first process, because the kernel treats that one's signals otherwise.
 */
const SETTING = `
mount -t overlay -o "lowerdir=$1/usr:/usr" overlay /usr
mount -t overlay -o "lowerdir=$1/etc:/etc" overlay /etc
if [ -n "$2" ]; then mount --bind "$2" "$3"; fi
for folder in /tmp /var/tmp /run /dev/shm /mnt; do mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
cd /mnt
shift 2
setpriv --reuid=65534 --regid=65534 --clear-groups "$@" || exit $?
`;
const NAMESPACES = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--net', '--ipc', '--uts'];
/** Libraries that an installation would choose among (update-alternatives), or that stand in folders of their own. */
const LIBRARIES = ['blas', 'lapack', 'pulseaudio', 'samba']
  .map((name) => `/usr/lib/x86_64-linux-gnu/${name}`)
  .join(':');
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin', HOME: '/mnt', LANG: 'C', TERM: 'dumb', LD_LIBRARY_PATH: LIBRARIES };

/** @param replacement - a file that stands at the program's path meanwhile */
export function runAlone(root: string, path: string, words: readonly string[], replacement = ''): Promise<Ran> {
  const command = [...NAMESPACES, 'sh', '-e', '-c', SETTING, 'sh', root, replacement, path, ...words];
  const child = spawn('unshare', command, { env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  let size = 0;
  const keep = (chunk: Buffer): void => {
    size += chunk.length;
    if (size <= LARGEST_OUTPUT) chunks.push(chunk);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      // What a program said before it was ended depends on when.
      if (isLate) return resolve({ status: 'runs on', output: '' });
      resolve({ status: code ?? -1, output: Buffer.concat(chunks).toString('latin1') });
    });
  });
}

/** Equal for runs that no reader could tell apart: times, process numbers and addresses differ from run to run. */
export function without(numbers: boolean, { status, output }: Ran): string {
  const text = numbers ? output.replace(/[0-9a-f]*\d[0-9a-f]*/gi, '#') : output;
  return `${status} ${createHash('sha256').update(text).digest('hex')}`;
}
