// How much slower `selkie --help` is than `node -e 0`, pairwise and interleaved, on each Node given.
// usage: node bench/help.mjs [ROUNDS] [NODE...]      (default: 40 rounds, this Node)
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const selkie = fileURLToPath(new URL('../bin/selkie', import.meta.url));
const rounds = Number(process.argv[2] ?? 40);
const nodes = process.argv.length > 3 ? process.argv.slice(3) : [process.execPath];

function time(node, words) {
  const start = process.hrtime.bigint();
  const { status } = spawnSync(node, words, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`${node} ${words.join(' ')}: exit code ${status}`);
  return Number(process.hrtime.bigint() - start) / 1e6;
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

for (const node of nodes) {
  const bare = [];
  const help = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(time(node, ['-e', '0']));
    help.push(time(node, [selkie, '--help']));
  }
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  const ratio = median(help.map((value, index) => value / bare[index]));
  const times = `node -e 0 ${median(bare).toFixed(1)} ms, --help ${median(help).toFixed(1)} ms`;
  console.log(`${version}: ${times}, median ratio ${ratio.toFixed(3)}`);
}
