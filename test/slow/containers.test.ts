// Containers of real engines are found by the names that their state files give them, and recorded. Runtimes alone are test/record/containers.test.ts.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { callerRoot, EnginePlace, editSpec } from '../support/engines.ts';
import { temporaryFolder } from '../support/folders.ts';
import { missingTools } from '../support/tools.ts';

const IMAGE = 'localhost/selkie-test:1';
/** The machine may forbid more. */
const LIMITS = ['--network', 'none', '--ulimit', 'nofile=1024:1024'];

async function makePlace(context: TestContext): Promise<{ readonly place: EnginePlace; readonly folder: string }> {
  const folder = temporaryFolder();
  callerRoot(folder);
  const place = await EnginePlace.make(folder);
  context.after(() => place.close());
  return { place, folder };
}

/** Each word finds the container whose process calls this number; a word that is no container's is answered with those that there are. */
async function expectFound(place: EnginePlace, nr: number, name: string, words: readonly string[]): Promise<void> {
  for (const word of [name, ...words]) {
    const { status, stderr, evidence, numbers } = await place.record(word);
    assert.equal(status, 0, `${word}: ${stderr}`);
    assert.ok(numbers.has(nr), `${word}: ${stderr}`);
    assert.ok(evidence.every(({ exe }) => exe === '/caller'));
  }
  const { status, stderr } = await place.record('nowhere');
  assert.notEqual(status, 0);
  assert.match(stderr, new RegExp(`there is none .*: found .* = ${name}`));
}

for (const [index, driver] of ['overlay', 'vfs'].entries())
  test(`podman, storage driver ${driver}: by name, id, what an id begins with, and host name`, {
    skip: missingTools('podman', 'runc') || EnginePlace.missing,
  }, async (context) => {
    const { place, folder } = await makePlace(context);
    const nr = 110 + index;
    const podman = ['podman', '--runtime=runc', '--cgroup-manager=cgroupfs', '--events-backend=file'];
    const here = [...podman, `--storage-driver=${driver}`];
    place.run('sh', '-c', `tar -C ${folder}/rootfs -c . | ${here.join(' ')} import - ${IMAGE}`);
    const words = ['--name', 'web-1', '--hostname', 'shop.example', '--pids-limit=0', '--ulimit', 'nproc=1024:1024'];
    place.start(...here, 'run', '-d', ...words, ...LIMITS, IMAGE, '/caller', `${nr}`);
    place.runAtEnd(...here, 'rm', '-f', '-t', '0', '-a');
    const id = place.run(...here, 'ps', '-q', '--no-trunc').trim();
    assert.match(id, /^[0-9a-f]{64}$/);
    await expectFound(place, nr, 'web-1', [id, id.slice(0, 12), 'shop.example']);
  });

test('Docker: by name, id, what an id begins with, and host name', {
  skip: missingTools('dockerd', 'docker', 'containerd', 'runc') || EnginePlace.missing,
}, async (context) => {
  const { place, folder } = await makePlace(context);
  const host = `unix://${folder}/docker.sock`;
  const docker = ['docker', '-H', host];
  const network = ['--iptables=false', '--ip6tables=false', '--bridge=none'];
  const daemon = ['dockerd', ...network, '--storage-driver=vfs', '-H', host, '--pidfile', join(folder, 'docker.pid')];
  await place.serve(daemon, [...docker, 'version']);
  place.run('sh', '-c', `tar -C ${folder}/rootfs -c . | ${docker.join(' ')} import - ${IMAGE}`);
  const words = ['--name', 'bank_1', '--hostname', 'bank.example'];
  place.start(...docker, 'run', '-d', ...words, ...LIMITS, IMAGE, '/caller', '112');
  place.runAtEnd(...docker, 'rm', '-f', 'bank_1');
  const id = place.run(...docker, 'ps', '-q', '--no-trunc').trim();
  await expectFound(place, 112, 'bank_1', [id, id.slice(0, 12), 'bank.example']);
});

test('containerd: by an id that one likes, and by the name that annotations give', {
  skip: missingTools('containerd', 'ctr', 'runc') || EnginePlace.missing,
}, async (context) => {
  const { place, folder } = await makePlace(context);
  const socket = join(folder, 'containerd.sock');
  const config = join(folder, 'containerd.toml');
  const plugins = 'disabled_plugins = ["io.containerd.grpc.v1.cri"]';
  writeFileSync(config, `version = 2\n${plugins}\n[grpc]\naddress = "${socket}"\n`);
  const ctr = ['ctr', '-a', socket];
  await place.serve(['containerd', '-c', config], [...ctr, 'version']);
  place.run('runc', 'spec', '--bundle', folder);
  const spec = join(folder, 'config.json');
  editSpec(spec, ['/caller', '113'], { 'io.kubernetes.cri.container-name': 'back' }, join(folder, 'rootfs'));
  const id = `selkie-test-${process.pid}`;
  place.start(...ctr, 'run', '-d', '--config', spec, id);
  place.runAtEnd(...ctr, 'task', 'rm', '-f', id);
  place.runAtEnd(...ctr, 'container', 'rm', id);
  await expectFound(place, 113, 'back', [id]);
});
