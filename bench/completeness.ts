/**
 * Does the promised bound hold? Policies of twelve real programs from 1, 3, 5 and 10 runs, each held against further runs: the share of those
 * that showed a call outside of the policy, beside the estimate and the bound that `record` prints. Inputs are drawn
 * for each run, the same ones each time this is run.
 *
 *     node build/bench/completeness.js [FURTHER_RUNS [PATTERN]]
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { completenessOf } from '../src/record/completeness.ts';
import { Coverage } from '../src/record/coverage.ts';
import { type Recording, record } from '../src/record/record.ts';
import { joinResults, type Results } from '../src/record/results.ts';
import { buildGo } from '../test/support/go.ts';

const POLICIES = [1, 3, 5, 10];
const further = Number(process.argv[2] ?? 200);
const pattern = new RegExp(process.argv[3] ?? '');
const folder = mkdtempSync(join(tmpdir(), 'selkie-complete-'));
chmodSync(folder, 0o755);
const goServer = join(folder, 'go-http');

interface Program {
  /** Executables whose calls count: not those of the clients that drive it. */
  readonly exes: RegExp;
  /** What bash does in one run: $RUN is drawn for it, $D a folder that stays, $PORT a port of its own. */
  readonly script: string;
  /** Before the first run, unrecorded. */
  readonly prepare?: string;
}

const PRELUDE = `
serve() { "$@" >/dev/null 2>&1 & SERVER=$!; for i in $(seq 250); do (: > /dev/tcp/127.0.0.1/$PORT) 2>/dev/null && return; sleep 0.02; done; exit 9; }
finish() { kill -\${1:-TERM} $SERVER; wait $SERVER; exit 0; }
often() { [ $((RUN % $1)) = 0 ]; }
nobody() { exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
ask() { curl -s -o /dev/null http://127.0.0.1:$PORT/$1; }
`;

const PROGRAMS: Readonly<Record<string, Program>> = {
  'Go HTTP server': {
    exes: /^go-http$/,
    script: `serve ${goServer} -listen 127.0.0.1:$PORT; for i in $(seq $((RUN % 9 + 1))); do ask; done; finish`,
  },
  nginx: {
    exes: /^nginx$/,
    script: `mkdir -p $D/www; head -c $((RUN % 70000)) /dev/urandom > $D/www/f
printf 'daemon off; pid %s/pid; error_log /dev/null; events {} http { access_log off; server { listen 127.0.0.1:%s; root %s/www; } }' $D $PORT $D > $D/conf
serve nginx -c $D/conf; for i in $(seq $((RUN % 5 + 1))); do ask f; done
often 3 && ask none; often 7 && kill -HUP $SERVER && sleep 0.2; finish QUIT`,
  },
  'redis-server': {
    exes: /^redis-(server|check-rdb)$/,
    script: `serve redis-server --port $PORT --bind 127.0.0.1 --dir $D --save ''; cli() { redis-cli -p $PORT "$@" >/dev/null; }
for i in $(seq $((RUN % 5 + 1))); do cli set k$i v; done; often 4 && cli save; often 6 && cli bgsave && sleep 0.2; finish`,
  },
  sqlite3: {
    exes: /^sqlite3$/,
    script: `often 5 && rm -f $D/db; sqlite3 $D/db "create table if not exists t(x); insert into t values ($RUN), (2); select sum(x) from t;" >/dev/null
often 4 && sqlite3 $D/db 'pragma journal_mode=wal; delete from t; vacuum;' >/dev/null; exit 0`,
  },
  postgres: {
    exes: /^postgres$/,
    prepare: 'chown 65534 $D; (nobody /usr/lib/postgresql/*/bin/initdb -D $D/db >/dev/null)',
    script: `serve nobody /usr/lib/postgresql/*/bin/postgres -D $D/db -p $PORT -h 127.0.0.1 -k $D -c fsync=off
sql() { psql -q -h 127.0.0.1 -p $PORT -U nobody postgres -c "$1" >/dev/null 2>&1; }
for i in $(seq 50); do sql 'select 1' && break; sleep 0.1; done
sql "create table if not exists t(x int); insert into t select generate_series(1, $((RUN % 5000)))"; often 4 && sql 'vacuum t'; finish`,
  },
  python3: {
    exes: /^python3/,
    script: `python3 -c "import json, os, random, threading, tempfile
n = $RUN
t = threading.Thread(target=lambda: json.dumps(list(range(n)))); t.start(); t.join()
if n % 3 == 0: os.listdir('/etc')
if n % 5 == 0:
  with tempfile.NamedTemporaryFile() as f: f.write(b'x' * n)
if n % 8 == 0: os.system('true')"`,
  },
  node: {
    exes: /^node$/,
    script: `node -e "const fs = require('fs'), n = $RUN; fs.writeFileSync('$D/f', 'x'.repeat(n)); fs.readFile('$D/f', () => {});
if (n % 3 === 0) setTimeout(() => {}, 5); if (n % 4 === 0) require('zlib').gzipSync(Buffer.alloc(n * 10)); if (n % 7 === 0) fs.readdirSync('/etc')"`,
  },
  git: {
    exes: /^git/,
    prepare: 'git init -q $D/g; git -C $D/g config user.email a@b; git -C $D/g config user.name a',
    script: `cd $D/g; echo $RUN > f$((RUN % 10)); git add -A; git commit -q -m $RUN; often 3 && git log --oneline >/dev/null
often 5 && git status >/dev/null; often 8 && git gc -q; exit 0`,
  },
  curl: {
    exes: /^curl$/,
    script: `serve ${goServer} -listen 127.0.0.1:$PORT; ask; often 3 && curl -s -o $D/out http://localhost:$PORT/; often 4 && curl -s -d a=$RUN http://127.0.0.1:$PORT/ >/dev/null
often 6 && curl -s --max-time 1 http://127.0.0.1:1/; finish`,
  },
  openssl: {
    exes: /^openssl$/,
    script: `openssl rand -out $D/r $RUN; openssl dgst -sha256 $D/r >/dev/null; often 3 && openssl genrsa -out $D/k 1024 2>/dev/null
often 5 && openssl enc -aes-256-cbc -pbkdf2 -k x -in $D/r -out $D/e; exit 0`,
  },
  gcc: {
    exes: /gcc|^(cc1|as|ld(\.bfd)?|collect2)$/,
    script: `echo "int main(void) { return $RUN; }" > $D/a.c; case $((RUN % 4)) in 0) gcc -o $D/a $D/a.c;; 1) gcc -O2 -c -o $D/a.o $D/a.c;; 2) gcc -pipe -o $D/a $D/a.c;; 3) gcc -E $D/a.c >/dev/null;; esac`,
  },
  bash: {
    exes: /^bash$/,
    script: `for i in $(seq $((RUN % 5 + 1))); do (echo $i | read x); done; often 3 && ls / | wc -l >/dev/null; often 4 && { sleep 0.01 & wait; }
often 5 && echo $RUN > $D/f; often 9 && trap true USR1 && kill -USR1 $$; exit 0`,
  },
};

/** One run; its evidence without that of the programs that drive it. */
async function run({ exes, script }: Program, place: string, index: number, number: number): Promise<Recording> {
  const port = 21_000 + index * 500 + (number % 500);
  const settings = `RUN=${drawn(number)} D=${place} PORT=${port}`;
  const recording = await record({ command: ['bash', '-c', `${settings}${PRELUDE}${script}`] });
  if (recording.error) throw recording.error;
  if ('signal' in recording.status || recording.status.code !== 0)
    throw new Error(`run ${number}: ${JSON.stringify(recording.status)}: ${script}`);
  const isOurs = (exe: string): boolean => exes.test(basename(exe));
  const evidence = recording.evidence.filter(({ exe }) => isOurs(exe));
  if (evidence.length === 0) throw new Error(`run ${number} did not run ${exes}`);
  const images = recording.images.filter(isOurs);
  return { ...recording, evidence, images, path: images[0] ?? '' };
}

/** @returns whether all bounds held */
async function examine(name: string, program: Program, index: number): Promise<boolean> {
  const place = join(folder, `${index}`);
  mkdirSync(place);
  if (program.prepare) execFileSync('bash', ['-c', `D=${place}${PRELUDE}${program.prepare}`]);
  const most = Math.max(...POLICIES);
  const results: Results[] = [];
  for (let number = 1; number <= most; number += 1) {
    const seen = await run(program, place, index, number);
    results.push(joinResults({ ...seen, isWhole: true }, { name, wantsFloor: true, earlier: results.at(-1) }));
  }
  const tested: Recording[] = [];
  for (let number = 1; number <= further; number += 1) tested.push(await run(program, place, index, most + number));
  const rows = POLICIES.map((runs) => rowOf(results[runs - 1] as Results, tested));
  console.log(`| ${name} | ${rows.map(({ text }) => text).join(' | ')} |`);
  return rows.every(({ holds }) => holds);
}

/** Spread over 0..99999 (Knuth's multiplicative hash), so that the order of runs means nothing. */
const drawn = (number: number): number => (Math.imul(number, 2_654_435_761) >>> 8) % 100_000;

const percent = (part: number): string => (100 * part).toFixed(part < 0.1 && part > 0 ? 1 : 0);

function rowOf({ policy, evidence, history }: Results, tested: readonly Recording[]): { text: string; holds: boolean } {
  if (history === undefined) throw new Error('no run came to its end');
  const coverage = new Coverage(policy);
  // Node's rings are answered ENOSYS on purpose: record/to-policy.ts.
  const leaves = tested.filter((one) =>
    coverage.outside(one.evidence).some(({ syscall }) => !/^io_uring/.test(syscall ?? '')),
  );
  const { estimate, bound } = completenessOf(policy, evidence, history);
  const share = leaves.length / tested.length;
  return { text: `${percent(share)} (${percent(estimate)}, ≤ ${percent(bound)})`, holds: share <= bound };
}

buildGo('go', 'go-http', goServer);
console.log(
  `| program | ${POLICIES.map((runs) => `k = ${runs}`).join(' | ')} |\n|---|${POLICIES.map(() => '---|').join('')}`,
);
let held = 0;
const chosen = [...Object.entries(PROGRAMS).entries()].filter(([, [name]]) => pattern.test(name));
for (const [index, [name, program]] of chosen) held += (await examine(name, program, index)) ? 1 : 0;
console.log(`\nall bounds hold for ${held} of ${chosen.length} programs; ${further} further runs each`);
rmSync(folder, { recursive: true });
