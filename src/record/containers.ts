import { UsageError } from '../base/errors.ts';
import { cgroupRoot, cgroupsBelow, findCgroup } from '../kernel/cgroups.ts';
import { type Container, namesOf } from './container-names.ts';
import { runtimeStates } from './runtime-states.ts';

/** Containers of this machine, found by what their runtimes leave in files, and by their cgroups. No daemon is asked. */

/**
 * Folders of containers, with systemd and without: docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID.scope, nerdctl-ID.scope;
 * docker/ID, libpod_parent/libpod-ID, kubepods/.../ID. Their monitors (libpod-conmon-ID.scope) are not inside.
 */
const FOLDER = /^(?:[a-z][a-z0-9_]*(?:-(?!conmon)[a-z0-9_]+)*-)?([0-9a-f]{64})(?:\.scope)?$/;

/** How an id is shown, as engines show it. */
const shown = (id: string): string => (/^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id);

/**
 * Finds a container by its id or what it begins with, by the name that its engine gave it, or by its host name.
 *
 * @throws {UsageError} `no_container` none or more than one, with those that there are
 * @throws {UnsupportedError} as cgroupRoot
 */
export function findContainer(word: string): Container {
  const named = containers().map((container) => ({ container, names: [container.id, ...namesOf(container)] }));
  const byName = named.filter(({ names }) => names.includes(word));
  const byId = /^[0-9a-f]+$/.test(word) ? named.filter(({ container }) => container.id.startsWith(word)) : [];
  const found = byName.length > 0 ? byName : byId;
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only.container;
  const list = named.map(({ names }) => [...new Set(names.map(shown))].join(' = '));
  const problem = only === undefined ? 'there is none of this name or id' : `it may be any of ${found.length}`;
  const there = list.length === 0 ? 'found no container' : `found ${list.join(', ')}`;
  throw new UsageError(
    'no_container',
    `Cannot find container "${word}": ${problem}: ${there}: --cgroup takes any cgroup`,
  );
}

/** Those whose runtimes say so, and the outermost cgroup of each other one: engines put others into it, and so does what runs inside. */
function containers(): readonly Container[] {
  const found = runtimeContainers();
  for (const cgroup of cgroupsBelow(findCgroup(cgroupRoot()))) {
    const id = FOLDER.exec(cgroup.path.slice(cgroup.path.lastIndexOf('/') + 1))?.[1];
    if (id !== undefined && !found.some((each) => each.id === id)) found.push({ id, cgroup });
  }
  return found;
}

/** What a runtime was killed before it could remove has no cgroup any more. */
function runtimeContainers(): Container[] {
  return runtimeStates().flatMap(({ id, cgroup: path, bundle }) => {
    try {
      return { id, cgroup: findCgroup(path), bundle };
    } catch (error) {
      if (error instanceof UsageError) return [];
      throw error;
    }
  });
}
