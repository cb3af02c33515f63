import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { buildGo, GO_TOOLS } from './go.ts';
import { buildJava } from './java.ts';
import { ROOT } from './selkie.ts';
import { missingTools } from './tools.ts';

/** A hundred programs that people really run: Debian's, and our own stress programs in every language. */

export interface CorpusProgram {
  readonly name: string;
  readonly command: readonly string[];
}

const SYSTEM = `
cat /etc/passwd
ls -la /
ls --color=always /etc
sort -u /etc/passwd
sort --parallel=4 -S 1M /etc/services
grep -r root /etc/passwd /etc/group
grep -P ^r.*t /etc/passwd
sed s/root/ROOT/ /etc/passwd
awk -F: {print$1} /etc/passwd
find /etc/apt -type f
tar -cf /dev/null /etc/apt
gzip -c /etc/services
xz -T2 -c /etc/services
bzip2 -c /etc/services
date
date -d yesterday +%c
wc /etc/services
head -3 /etc/passwd
tail -3 /etc/passwd
cut -d: -f1 /etc/passwd
tr a b
uniq /etc/passwd
od -c /etc/hostname
md5sum /etc/services
sha256sum /etc/services
stat /etc/passwd
df
du -s /etc/apt
id
id nobody
whoami
hostname
env
printf %s\\n hello
seq 1000
expr 3 + 4
factor 1234567890123
nproc
uname -a
tac /etc/passwd
nl /etc/passwd
paste /etc/passwd /etc/group
join /etc/hostname /etc/hostname
comm /etc/passwd /etc/passwd
diff /etc/passwd /etc/group
cmp /etc/passwd /etc/group
base64 /etc/passwd
cksum /etc/passwd
basename /a/b
realpath /etc/passwd
readlink -f /etc/localtime
sleep 0.01
timeout 5 true
nice true
xargs -a /etc/hostname echo
getent passwd root
getent hosts localhost
locale -a
iconv -f utf8 -t latin1 /etc/hostname
ps ax
free
git --version
git -C ROOT log -1 --format=%h
perl -e print"hello",sort(1..10)
perl -MPOSIX -e print(strftime("%c",localtime))
bash -c for((i=0;i<20;i++));do(:);done;echo$BASH_VERSION
sh -c ls|sort|wc
sh -c cat</etc/passwd&wait
dd if=/dev/zero of=/dev/null count=100
file /bin/true
openssl version
gcc --version
objdump -f /bin/true
readelf -h /bin/true
strings -n 20 /bin/true
make --version
`;

const WAYS = {
  c: ['threads', 'blocks', 'locales', 'stdio', 'times', 'exit', 'pthread_exit'],
  rust: ['threads', 'channels', 'blocks', 'caught', 'exit', 'times'],
  python: ['threads', 'blocks', 'imports', 'text', 'interrupted', 'late', 'recursion'],
  node: ['gc', 'workers', 'timers', 'pool', 'clocks', 'stdio', 'wasm', 'end stack', 'end handlers', 'end throw'],
  java: ['memory', 'threads', 'timers', 'exceptions', 'text', 'loading', 'hooks', 'full', 'terminated'],
  kinds: ['nss', 'dlopen', 'children'],
} as const;

/** Children and lookups in other languages than C. */
const PYTHON_KINDS = {
  children:
    'import subprocess; subprocess.run(["true"], check=True); print(subprocess.check_output("echo out", shell=True))',
  processes: 'import multiprocessing as m; print(m.Pool(2).map(abs, range(9)))',
  nss: 'import pwd, socket; print(pwd.getpwuid(0).pw_name, socket.getaddrinfo("localhost", 80)[0][4])',
  dlopen:
    'import ctypes; m = ctypes.CDLL("libm.so.6"); m.cos.restype = ctypes.c_double; print(m.cos(ctypes.c_double(0)))',
};
const NODE_KINDS = {
  children:
    'const c = require("node:child_process"); c.execFileSync("true"); c.exec("echo out", (e, out) => process.stdout.write(out))',
  nss: 'require("node:dns").lookup("localhost", (error, address) => console.log(error, address)); require("node:os").userInfo()',
  files:
    'const f = require("node:fs/promises"); f.readFile("/etc/passwd").then((all) => f.stat("/etc")).then(console.log)',
};

/** Builds our own in `folder`; programs whose tools are missing are left out. */
export function corpus(folder: string): readonly CorpusProgram[] {
  const system = SYSTEM.trim()
    .split('\n')
    .map((line) => line.replace('ROOT', ROOT).split(' '))
    .filter(([tool = '']) => missingTools(tool) === false)
    .map((command) => ({ name: command.join(' '), command }));
  const source = (path: string): string => join(ROOT, 'test/programs', path);
  const own: CorpusProgram[] = [];
  const add = (label: string, ways: readonly string[], ...words: readonly string[]): void =>
    ways.forEach((way) => {
      own.push({ name: `${label} ${way}`, command: [...words, ...way.split(' ')] });
    });
  const addCode = (label: string, kinds: Readonly<Record<string, string>>, ...words: readonly string[]): void =>
    Object.entries(kinds).forEach(([kind, code]) => {
      own.push({ name: `${label} ${kind}`, command: [...words, code] });
    });
  const built = (name: string, tool: string, ...words: readonly string[]): string => {
    execFileSync(tool, [...words, '-o', join(folder, name)], { stdio: 'pipe' });
    return join(folder, name);
  };
  add('Python', WAYS.python, '/usr/bin/python3', source('python-stress/stress.py'));
  addCode('Python', PYTHON_KINDS, '/usr/bin/python3', '-c');
  for (const way of WAYS.node) {
    const [program = '', ...words] = way.split(' ');
    own.push({ name: `Node ${way}`, command: ['node', source(`node-stress/${program}.cjs`), ...words] });
  }
  addCode('Node', NODE_KINDS, 'node', '-e');
  if (missingTools('java', 'javac', 'jar') === false)
    add('Java', WAYS.java, 'java', '-Xmx128m', '-cp', buildJava(folder), 'Stress');
  add('C', WAYS.kinds, built('kinds', 'gcc', '-O1', source('kinds.c')));
  if (missingTools('musl-gcc') === false)
    add('musl', ['nss', 'children'], built('kinds-musl', 'musl-gcc', '-O1', source('kinds.c')));
  const libc = source('libc-stress/stress.c');
  add('C dynamic', WAYS.c, built('dynamic', 'gcc', '-O1', libc));
  add('C static', WAYS.c, built('static', 'gcc', '-O1', '-static', libc));
  if (missingTools('musl-gcc') === false) add('musl', WAYS.c, built('musl', 'musl-gcc', '-O1', libc));
  if (missingTools('rustc') === false)
    add('Rust', WAYS.rust, built('rust', 'rustc', '-O', source('rust-stress/stress.rs')));
  for (const { label, go, here } of GO_TOOLS)
    if (here)
      for (const program of ['story', 'go-stress/gc', 'go-stress/threads', 'go-stress/timers']) {
        const file = join(folder, `${label}-${program}`.replace(/\W/g, '-'));
        buildGo(go, program, file);
        own.push({ name: `${label}: ${program}`, command: [file] });
      }
  return [...own, ...system];
}
