import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { type Cgroup, cgroupRoot, cgroupsBelow, findCgroup, processesIn } from '../kernel/cgroups.ts';

/** Containers of this machine, found by their cgroups; names from what engines leave in files. No daemon is asked. */

/** A container that has a cgroup. */
export interface Container {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly cgroup: Cgroup;
}

/**
 * Folders of containers, with systemd and without: docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID.scope, nerdctl-ID.scope;
 * docker/ID, libpod_parent/libpod-ID, kubepods/.../ID. Their monitors (libpod-conmon-ID.scope) are not inside.
 */
const FOLDER = /^(?:[a-z][a-z0-9_]*(?:-(?!conmon)[a-z0-9_]+)*-)?([0-9a-f]{64})(?:\.scope)?$/;

/** How much of an id is shown, as engines show it. */
const SHORT = 12;

/**
 * Finds a container by its id or what it begins with, by the name that its engine gave it, or by its host name.
 *
 * @throws {UsageError} `no_container` none or more than one, with those that there are
 * @throws {UnsupportedError} as cgroupRoot
 */
export function findContainer(word: string): Container {
  const all = containers();
  const byId = /^[0-9a-f]+$/.test(word) ? all.filter(({ id }) => id.startsWith(word)) : [];
  const named = all.map((container) => ({ container, names: namesOf(container) }));
  const byName = named.filter(({ names }) => names.includes(word)).map(({ container }) => container);
  const found = byName.length > 0 ? byName : byId;
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  const list = named.map(({ container, names }) => [container.id.slice(0, SHORT), ...names].join(' = '));
  const problem = only === undefined ? 'there is none of this name or id' : `it may be any of ${found.length}`;
  const there = list.length === 0 ? 'found no container' : `found ${list.join(', ')}`;
  throw new UsageError(
    'no_container',
    `Cannot find container "${word}": ${problem}: ${there}: --cgroup takes any cgroup`,
  );
}

/** The outermost cgroup of each container: engines put others into it, and so does what runs inside. */
function containers(): readonly Container[] {
  const found = new Map<string, Container>();
  for (const cgroup of cgroupsBelow(findCgroup(cgroupRoot()))) {
    const id = FOLDER.exec(cgroup.path.slice(cgroup.path.lastIndexOf('/') + 1))?.[1];
    if (id !== undefined && !found.has(id)) found.set(id, { id, cgroup });
  }
  return [...found.values()];
}

function namesOf(container: Container): readonly string[] {
  const names = [dockerName(container), ...podmanNames(container), kubernetesName(container), hostName(container)];
  // Users and containers may have written them: nothing else gets to a terminal.
  return [...new Set(names.filter((name) => name !== undefined && /^[\w.-]+$/.test(name)))] as string[];
}

/** Docker's own record of a container. */
function dockerName({ id }: Container): string | undefined {
  const name = readJson(`/var/lib/docker/containers/${id}/config.v2.json`, 'Name');
  return typeof name === 'string' ? name.replace(/^\//, '') : undefined;
}

/** The lists of containers/storage: root's, and those of users. */
function podmanNames({ id }: Container): readonly string[] {
  const storages = ['/var/lib/containers', ...homes().map((home) => join(home, '.local/share/containers'))];
  return storages.flatMap((storage) => {
    const list = parse(readText(join(storage, 'storage/overlay-containers/containers.json')));
    if (!Array.isArray(list)) return [];
    const names: unknown = list.find((entry) => entry?.id === id)?.names;
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  });
}

function homes(): readonly string[] {
  const lines = (readText('/etc/passwd') ?? '').split('\n');
  return [...new Set(lines.map((line) => line.split(':')[5] ?? '').filter((home) => home.startsWith('/')))];
}

/** The annotations that containerd's CRI plugin, nerdctl and CRI-O put into the bundle's config.json. */
const NAME_ANNOTATIONS = ['io.kubernetes.cri.container-name', 'io.kubernetes.container.name', 'nerdctl/name'];

function kubernetesName({ id }: Container): string | undefined {
  const tasks = '/run/containerd/io.containerd.runtime.v2.task';
  const bundles = [
    ...foldersIn(tasks).map((namespace) => join(tasks, namespace, id)),
    `/run/containers/storage/overlay-containers/${id}/userdata`,
  ];
  for (const bundle of bundles) {
    const annotations = readJson(join(bundle, 'config.json'), 'annotations') as Record<string, unknown> | undefined;
    const name = NAME_ANNOTATIONS.map((annotation) => annotations?.[annotation]).find((value) => value !== undefined);
    if (typeof name === 'string') return name;
  }
  return undefined;
}

/** What engines tell the first process of its host name: the name itself is known inside only. */
function hostName({ cgroup }: Container): string | undefined {
  const pid = cgroupsBelow(cgroup).flatMap(processesIn)[0];
  const environment = pid === undefined ? undefined : readText(`/proc/${pid}/environ`);
  return environment
    ?.split('\0')
    .find((line) => line.startsWith('HOSTNAME='))
    ?.slice('HOSTNAME='.length);
}

function readJson(file: string, member: string): unknown {
  const value = parse(readText(file));
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[member] : undefined;
}

function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A user could have put something there that never ends. */
function readText(file: string): string | undefined {
  try {
    return statSync(file).isFile() ? readFileSync(file, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
